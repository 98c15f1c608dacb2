//! `nameplate init`: five questions, or flags, become a configuration, its secrets, and the files for the PBX.
//!
//! - `answers`: what was asked, and what the flags say
//! - `texts`: the texts of the files
//! - `folder`: writes files, and overwrites none
//! - `steps`: what is left to do on the PBX

mod answers;
mod folder;
mod steps;
mod texts;

use std::io::{self, Write};
use std::path::PathBuf;

use super::{Exit, Usage, check};
use crate::config::Config;
use crate::observe::logging::{self, LogLevel};
use answers::Way;
use folder::NewFile;

/// Where Asterisk's files are.
const ASTERISK_FOLDER: &str = "/etc/asterisk";

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Take what is offered for all that is not given, and ask nothing
    #[arg(long)]
    yes: bool,
    /// The country of the PBX, as ISO 3166 has it: how numbers without + are read
    #[arg(long, value_name = "COUNTRY")]
    country: Option<String>,
    /// The WebAPI of SuperOffice on a server of one's own, its address with https:// and /SuperOffice/api
    #[arg(long, value_name = "URL", conflicts_with = "tenant")]
    api: Option<String>,
    /// The user whose caller ids are asked for
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// A file with this user's password, to be copied; it is asked for otherwise
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The customer's name in SuperOffice's cloud: Cust12345
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// The host of SuperOffice's cloud, such as its sandbox sod.superoffice.com
    #[arg(long, value_name = "HOST", default_value = "online.superoffice.com")]
    host: String,
    /// A file with the system user's token, to be copied; for the cloud
    #[arg(long, value_name = "FILE")]
    system_token_file: Option<PathBuf>,
    /// A file with the application's secret, to be copied; for the cloud
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// The file with the application's private key, to be copied; for the cloud
    #[arg(long, value_name = "FILE")]
    private_key_file: Option<PathBuf>,
    /// The address of Asterisk's HTTP server
    #[arg(long, value_name = "URL")]
    asterisk: Option<String>,
    /// How Asterisk asks; by default the way that fits its version
    #[arg(long, value_enum)]
    way: Option<Way>,
    /// Where the configuration is written
    #[arg(long, value_name = "DIR", default_value = "/etc/nameplate")]
    folder: PathBuf,
    /// Where the service keeps its lists
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Copy the files for the PBX into Asterisk's folder as well
    #[arg(long)]
    install_asterisk: bool,
    /// Asterisk's folder
    #[arg(long, value_name = "DIR", default_value = ASTERISK_FOLDER)]
    asterisk_folder: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    crate::tls::install();
    let path = arguments.folder.join(texts::CONFIGURATION);
    // Before anybody answers five questions in vain.
    folder::refuse_existing([path.as_path()])?;
    let answers = answers::gather(arguments)?;
    let files = texts::files(&answers, &arguments.folder, arguments.state_dir.as_deref())?;
    let configuration = files.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    // Before anything is written.
    let config = Config::parse(&path, configuration.unwrap_or_default())?;
    let (asterisk, install) = (&arguments.asterisk_folder, arguments.install_asterisk);
    let copies = if install { texts::copies(&files, asterisk) } else { Vec::new() };
    let all: Vec<&NewFile> = files.iter().chain(&copies).collect();
    folder::refuse_existing(all.iter().map(|file| file.path.as_path()))?;
    if install && !asterisk.is_dir() {
        let what = format!("there is no folder {}: leave out --install-asterisk", asterisk.display());
        return Err(Usage(what).into());
    }
    folder::write(&all)?;
    let mut out = io::stdout();
    for file in &all {
        writeln!(out, "written: {}", file.path.display())?;
    }
    writeln!(out, "\nnameplate check says:")?;
    let _logging = logging::start(config.log, LogLevel::Error);
    check::print(&config, &check::Arguments::default())?;
    out.write_all(steps::text(&answers, arguments).as_bytes())?;
    Ok(Exit::Success)
}
