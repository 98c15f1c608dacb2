//! What is left to do on the PBX: commands to be copied as they stand.

use std::fmt::Write;

use super::Arguments;
use super::answers::{Answers, Way};
use super::folder::has_service_group;
use super::texts::{ARI, EXTENSIONS, FOR_ASTERISK, HTTP};

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
    text += "\nOn the PBX, as root:\n";
    let mut line = |command: String| {
        // Writing into a String never fails.
        let _ = writeln!(text, "  {command}");
    };
    if !arguments.install_asterisk {
        if by_ari {
            line(format!("cp {ours}/{ARI} {asterisk}/ && chown --reference={asterisk} {asterisk}/{ARI}"));
        }
        line(format!(
            "cp {ours}/{EXTENSIONS} {asterisk}/ && chown --reference={asterisk} {asterisk}/{EXTENSIONS}"
        ));
    }
    if by_ari {
        line(format!("echo '#include {ARI}' >> {asterisk}/ari.conf"));
    }
    line(format!("echo '#include {EXTENSIONS}' >> {asterisk}/extensions.conf"));
    if by_ari {
        line("asterisk -rx \"module reload res_ari\"".into());
    }
    line("asterisk -rx \"dialplan reload\"".into());
    if by_ari {
        let _ =
            write!(text, "\nIts http.conf needs `enabled = yes`, ari.conf too: {ours}/{HTTP} shows it.\n");
    }
    let lookup = if by_ari { "lookup" } else { "lookup-agi" };
    let _ = write!(
        text,
        "\nThe one line for your dialplan, where outside calls come in, before anything rings:\n  \
         same => n,Gosub(nameplate,{lookup},1)\n\nThen start the service, and look again:\n  \
         systemctl enable --now nameplate\n  nameplate check\n"
    );
    text
}
