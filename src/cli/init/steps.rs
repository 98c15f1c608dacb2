//! What is left to do on the PBX: commands to be copied as they stand.

use super::Arguments;
use super::answers::{Answers, Way};
use super::folder::has_service_group;
use super::texts::{ARI, EXTENSIONS, FOR_ASTERISK, HTTP, is_elsewhere};

/// The steps, in their order.
pub(super) fn text(answers: &Answers, arguments: &Arguments) -> String {
    let (ours, asterisk) = (arguments.folder.join(FOR_ASTERISK), arguments.asterisk_folder.display());
    let ours = ours.display();
    let by_ari = answers.way == Way::Ari;
    let mut text = String::new();
    if !has_service_group() {
        let folder = arguments.folder.display();
        text = format!(
            "\nThis machine has no group nameplate yet; the service's user needs it to read {folder}:\n  \
             useradd --system --shell /usr/sbin/nologin nameplate && chown -R root:nameplate {folder}\n"
        );
    }
    let files: &[&str] = if by_ari { &[ARI, EXTENSIONS] } else { &[EXTENSIONS] };
    let each = |form: &dyn Fn(&str) -> String, between: &str| {
        files.iter().map(|name| form(name)).collect::<Vec<_>>().join(between)
    };
    let mut commands = Vec::new();
    if !arguments.install_asterisk {
        let from = each(&|name| format!("{ours}/{name}"), " ");
        let to = each(&|name| format!("{asterisk}/{name}"), " ");
        commands.push(format!("cp {from} {asterisk}/ && chown --reference={asterisk} {to}"));
    }
    commands
        .push(each(&|name| format!("echo '#tryinclude {name}' >> {asterisk}/{}", including(name)), " && "));
    let reload = |module: &str| format!("asterisk -rx \"{module}\"");
    let reloads: &[&str] = if by_ari {
        &["module reload http", "module reload res_ari", "dialplan reload"]
    } else {
        &["dialplan reload"]
    };
    commands.push(reloads.iter().map(|module| reload(module)).collect::<Vec<_>>().join(" && "));
    let lookup = if by_ari { "lookup" } else { "lookup-agi" };
    if by_ari {
        text += &format!(
            "\nThe PBX's http.conf needs `enabled = yes` in [general] ({ours}/{HTTP} shows it), and so does its ari.conf.\n"
        );
    }
    if is_elsewhere(&answers.asterisk) {
        let (folder, host) = (arguments.folder.display(), answers.asterisk.host_str().unwrap_or_default());
        text += &format!(
            "\nThe PBX is another machine: first copy the files to the same place there:\n  \
             ssh root@{} mkdir -p {folder} && scp -r {ours} 'root@{host}:{folder}/'\n",
            // Only scp takes an IPv6 address in brackets.
            host.trim_matches(['[', ']']),
        );
        if by_ari {
            text += &format!(
                "Its HTTP server has to listen for this machine, best with TLS: {ours}/{HTTP} shows how.\n"
            );
        }
    }
    text += &format!(
        "\nThe one line for your dialplan, where outside calls come in, before anything rings:\n  \
         same => n,Gosub(nameplate,{lookup},1)\n\nOn the PBX, as root (sudo -i):\n"
    );
    for command in commands {
        text += &format!("  {command}\n");
    }
    text +=
        "\nThen start the service, and look again:\n  systemctl enable --now nameplate\n  nameplate check\n";
    text
}

/// Asterisk's own file that includes ours.
fn including(name: &str) -> &'static str {
    if name == ARI { "ari.conf" } else { "extensions.conf" }
}
