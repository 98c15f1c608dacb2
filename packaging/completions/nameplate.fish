# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_nameplate_global_optspecs
    string join \n c/config= h/help V/version
end

function __fish_nameplate_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_nameplate_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_nameplate_using_subcommand
    set -l cmd (__fish_nameplate_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c nameplate -n "__fish_nameplate_needs_command" -s c -l config -d 'The configuration file' -r -F
complete -c nameplate -n "__fish_nameplate_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nameplate -n "__fish_nameplate_needs_command" -s V -l version -d 'Print version'
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "serve" -d 'Runs the service: keeps the caller ids fresh and answers Asterisk'
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "check" -d 'Looks whether calls will have names: asks SuperOffice, each Asterisk and this machine, and changes nothing'
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "init" -d 'Asks five questions, or takes flags, and writes the configuration and the files for the PBX'
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "lookup" -d 'Says who a number belongs to, and how that was found out'
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "refresh" -d 'Asks the sources now, and says what changed'
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "reload" -d 'Has the running service read its configuration again, and says what changed'
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "forget" -d 'Has a number not be named any more, and takes its record out of the lists'
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "sources" -d 'Shows each list: its size, its last success, its next time, what went wrong'
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "password" -d 'Asks for a password, or reads it from stdin, and prints its hash for a [[web.user]]'
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nameplate -n "__fish_nameplate_using_subcommand serve" -s c -l config -d 'The configuration file' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand serve" -s h -l help -d 'Print help'
complete -c nameplate -n "__fish_nameplate_using_subcommand check" -s c -l config -d 'The configuration file' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand check" -l offline -d 'Try the configuration, its secrets and its files only: ask nobody'
complete -c nameplate -n "__fish_nameplate_using_subcommand check" -l json -d 'One JSON object a line'
complete -c nameplate -n "__fish_nameplate_using_subcommand check" -s h -l help -d 'Print help'
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l country -d 'The country of the PBX, as ISO 3166 has it: how numbers without + are read' -r
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l api -d 'The WebAPI of SuperOffice on a server of one\'s own, its address with https:// and /SuperOffice/api' -r
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l username -d 'The user whose caller ids are asked for' -r
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l password-file -d 'A file with this user\'s password, to be copied; it is asked for otherwise' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l tenant -d 'The customer\'s name in SuperOffice\'s cloud: Cust12345' -r
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l host -d 'The host of SuperOffice\'s cloud, such as its sandbox sod.superoffice.com' -r
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l system-token-file -d 'A file with the system user\'s token, to be copied; for the cloud' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l client-secret-file -d 'A file with the application\'s secret, to be copied; for the cloud' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l private-key-file -d 'The file with the application\'s private key, to be copied; for the cloud' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l asterisk -d 'The address of Asterisk\'s HTTP server' -r
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l way -d 'How Asterisk asks; by default the way that fits its version' -r -f -a "ari\t'ARI, the Asterisk REST Interface'
agi\t'FastAGI, for Asterisk before 20.10, 21.5 and 22.0'"
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l folder -d 'Where the configuration is written' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l state-dir -d 'Where the service keeps its lists' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l asterisk-folder -d 'Asterisk\'s folder' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -s c -l config -d 'The configuration file' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l yes -d 'Take what is offered for all that is not given, and ask nothing'
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -l install-asterisk -d 'Copy the files for the PBX into Asterisk\'s folder as well'
complete -c nameplate -n "__fish_nameplate_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nameplate -n "__fish_nameplate_using_subcommand lookup" -l country -d 'Read it as a trunk of this country would mean it' -r
complete -c nameplate -n "__fish_nameplate_using_subcommand lookup" -l pbx -d 'Read it by the `numbers` of the PBX with this name' -r
complete -c nameplate -n "__fish_nameplate_using_subcommand lookup" -s c -l config -d 'The configuration file' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand lookup" -l json -d 'One JSON object a number, also when there is no name'
complete -c nameplate -n "__fish_nameplate_using_subcommand lookup" -s h -l help -d 'Print help'
complete -c nameplate -n "__fish_nameplate_using_subcommand refresh" -s c -l config -d 'The configuration file' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand refresh" -l accept -d 'Take the list that is held back, as `sources` shows it; where none is, whatever list comes'
complete -c nameplate -n "__fish_nameplate_using_subcommand refresh" -s h -l help -d 'Print help'
complete -c nameplate -n "__fish_nameplate_using_subcommand reload" -s c -l config -d 'The configuration file' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand reload" -s h -l help -d 'Print help'
complete -c nameplate -n "__fish_nameplate_using_subcommand forget" -s c -l config -d 'The configuration file' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand forget" -l undo -d 'Let the number be named again, after the next refresh'
complete -c nameplate -n "__fish_nameplate_using_subcommand forget" -l list -d 'Show the numbers that were forgotten'
complete -c nameplate -n "__fish_nameplate_using_subcommand forget" -s h -l help -d 'Print help'
complete -c nameplate -n "__fish_nameplate_using_subcommand sources" -s c -l config -d 'The configuration file' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand sources" -l purge -d 'Remove the files of lists that are no longer in the configuration, which stay for 30 days otherwise'
complete -c nameplate -n "__fish_nameplate_using_subcommand sources" -l json -d 'One JSON object: the lists, and the replicas'
complete -c nameplate -n "__fish_nameplate_using_subcommand sources" -s h -l help -d 'Print help'
complete -c nameplate -n "__fish_nameplate_using_subcommand password" -s c -l config -d 'The configuration file' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand password" -s h -l help -d 'Print help'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check init lookup refresh reload forget sources password help" -f -a "serve" -d 'Runs the service: keeps the caller ids fresh and answers Asterisk'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check init lookup refresh reload forget sources password help" -f -a "check" -d 'Looks whether calls will have names: asks SuperOffice, each Asterisk and this machine, and changes nothing'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check init lookup refresh reload forget sources password help" -f -a "init" -d 'Asks five questions, or takes flags, and writes the configuration and the files for the PBX'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check init lookup refresh reload forget sources password help" -f -a "lookup" -d 'Says who a number belongs to, and how that was found out'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check init lookup refresh reload forget sources password help" -f -a "refresh" -d 'Asks the sources now, and says what changed'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check init lookup refresh reload forget sources password help" -f -a "reload" -d 'Has the running service read its configuration again, and says what changed'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check init lookup refresh reload forget sources password help" -f -a "forget" -d 'Has a number not be named any more, and takes its record out of the lists'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check init lookup refresh reload forget sources password help" -f -a "sources" -d 'Shows each list: its size, its last success, its next time, what went wrong'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check init lookup refresh reload forget sources password help" -f -a "password" -d 'Asks for a password, or reads it from stdin, and prints its hash for a [[web.user]]'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check init lookup refresh reload forget sources password help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
