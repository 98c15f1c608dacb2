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
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "check" -d 'Tries the configuration: its secrets, its files and the folder of the lists; asks nobody'
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "lookup" -d 'Says who a number belongs to, and how that was found out'
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "refresh" -d 'Asks the sources now, and says what changed'
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "reload" -d 'Has the running service read its configuration again, and says what changed'
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "sources" -d 'Shows each list: its size, its last success, its next time, what went wrong'
complete -c nameplate -n "__fish_nameplate_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nameplate -n "__fish_nameplate_using_subcommand serve" -s c -l config -d 'The configuration file' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand serve" -s h -l help -d 'Print help'
complete -c nameplate -n "__fish_nameplate_using_subcommand check" -s c -l config -d 'The configuration file' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand check" -s h -l help -d 'Print help'
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
complete -c nameplate -n "__fish_nameplate_using_subcommand sources" -s c -l config -d 'The configuration file' -r -F
complete -c nameplate -n "__fish_nameplate_using_subcommand sources" -l purge -d 'Remove the files of lists that are no longer in the configuration, which stay for 30 days otherwise'
complete -c nameplate -n "__fish_nameplate_using_subcommand sources" -s h -l help -d 'Print help'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check lookup refresh reload sources help" -f -a "serve" -d 'Runs the service: keeps the caller ids fresh and answers Asterisk'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check lookup refresh reload sources help" -f -a "check" -d 'Tries the configuration: its secrets, its files and the folder of the lists; asks nobody'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check lookup refresh reload sources help" -f -a "lookup" -d 'Says who a number belongs to, and how that was found out'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check lookup refresh reload sources help" -f -a "refresh" -d 'Asks the sources now, and says what changed'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check lookup refresh reload sources help" -f -a "reload" -d 'Has the running service read its configuration again, and says what changed'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check lookup refresh reload sources help" -f -a "sources" -d 'Shows each list: its size, its last success, its next time, what went wrong'
complete -c nameplate -n "__fish_nameplate_using_subcommand help; and not __fish_seen_subcommand_from serve check lookup refresh reload sources help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
