//! The tasks of the service.

use tokio::net::UnixStream;

use super::*;
use crate::lists::lock::{Lock, Purpose};
use crate::reload;

#[tokio::test]
async fn every_task_of_the_service_is_supervised() {
    tls::install();
    let folder = tempfile::tempdir().unwrap();
    // No server listens on port 1.
    let text = r#"
        state_dir = "."
        numbers.country = "NO"
        agi.listen = "127.0.0.1:0"
        web.listen = "127.0.0.1:0"
        [[source]]
        name = "crm"
        type = "superoffice"
        api = "http://127.0.0.1:1/api"
        auth = { type = "basic", username = "nameplate", password = "secret" }
        selections = [7, 12]
        search_on_miss = true
        [[asterisk]]
        name = "pbx1"
        url = "http://127.0.0.1:1"
        username = "nameplate"
        password = "secret"
    "#;
    let config = Config::parse(&folder.path().join("nameplate.toml"), text).unwrap();
    let mut supervisor = Supervisor::default();
    start(config, reload::orders().0, &mut supervisor).await.unwrap();
    let expected = [
        "the FastAGI server",
        "the building of directories",
        "the connection to `pbx1`",
        "the control socket",
        "the index for searches by name",
        "the refresh of `crm-12`",
        "the refresh of `crm-7`",
        "the search in `crm`",
        "the web server",
    ];
    assert_eq!(supervisor.names(), expected);
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), expected.len());
}

/// The smallest configuration of a service.
fn web_only(folder: &tempfile::TempDir) -> Config {
    let text = r#"
        state_dir = "."
        numbers.country = "NO"
        web.listen = "127.0.0.1:0"
        [[source]]
        name = "vip"
        type = "csv"
        path = "vip.csv"
    "#;
    Config::parse(&folder.path().join("nameplate.toml"), text).unwrap()
}

#[tokio::test]
async fn a_task_that_ends_while_a_command_has_the_lock_ends_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let command = Lock::take(folder.path(), Purpose::Refresh).unwrap().unwrap();
    let mut supervisor = Supervisor::default();
    supervisor.spawn("the test", tokio::time::sleep(Duration::from_millis(300)));
    let (reloads, ordered) = reload::orders();
    let served =
        tokio::time::timeout(Duration::from_secs(30), serve(web_only(&folder), supervisor, reloads, ordered))
            .await;
    assert_eq!(served.unwrap().unwrap_err().to_string(), "the test has ended by itself");
    drop(command);
}

#[tokio::test]
async fn commands_in_hand_end_with_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let mut supervisor = Supervisor::default();
    start(web_only(&folder), reload::orders().0, &mut supervisor).await.unwrap();
    let metrics = tokio::runtime::Handle::current().metrics();
    let tasks = metrics.num_alive_tasks();
    // They send no command.
    let mut commands = Vec::new();
    for _ in 0..100 {
        commands.push(UnixStream::connect(control::path(folder.path())).await.unwrap());
    }
    // Only a bounded number is accepted; the others wait in the backlog.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!((1..=32).contains(&(metrics.num_alive_tasks() - tasks)), "{}", metrics.num_alive_tasks());
    supervisor.shutdown().cancel();
    supervisor.until_shutdown().await.unwrap();
    supervisor.finish(Duration::from_secs(4)).await.unwrap();
    assert_eq!(metrics.num_alive_tasks(), 0);
}
