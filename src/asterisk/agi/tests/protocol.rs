//! Blocks with lines of the caller, commands and their responses.

use super::*;
use crate::asterisk::agi::protocol::set_variable;

#[tokio::test]
async fn line_breaks_in_a_callers_words_change_no_number() {
    let server = Running::usual().await;
    let begin = "agi_network_script: handoff\n";
    let end = "agi_callingpres: 0\nagi_threadid: 1\n\n";
    // A name of two lines. A number with a second line, even an empty one, is no number, as by ARI.
    let mut client = server.connect().await;
    client.say(&format!("{begin}agi_callerid: 22334455\nagi_calleridname: A\r\n X: yes\n{end}")).await;
    assert!(client.command().await.contains("FOUND:654"));
    let mut client = server.connect().await;
    client.say(&format!("{begin}agi_callerid: 22334455\nfoo\nagi_calleridname: A\n{end}")).await;
    assert!(client.command().await.contains("SKIPPED"));
    let mut client = server.connect().await;
    client.say(&format!("{begin}agi_callerid: 22334455\n\nagi_calleridname: A\n{end}")).await;
    assert!(client.command().await.contains("SKIPPED"));
    // The caller sends somebody else's number in a second line of the number or of the name.
    for caller in [
        "agi_callerid: 22999999\nagi_callerid: 22334455\n",
        "agi_callerid: unknown\nagi_calleridname: A\nagi_callerid: 22334455\n",
    ] {
        let mut client = server.connect().await;
        client.say(&format!("{begin}{caller}{end}")).await;
        assert!(client.is_closed().await, "{caller}");
    }
}

#[tokio::test]
async fn a_refused_command_ends_the_session() {
    let server = Running::usual().await;
    for refusal in ["510 Invalid or unknown command\n", "520-Invalid\nUsage: x\n520 End of proper usage.\n"] {
        let mut client = server.connect().await;
        client.describe("lookup", "22334455", "0", &[]).await;
        client.command().await;
        client.say(refusal).await;
        assert!(client.is_closed().await, "{refusal}");
    }
}

/// The block of a caller with this name and presentation; `arguments` are the lines after `agi_threadid`.
fn described(name: &str, presentation: &str, arguments: &str) -> Option<Block> {
    block(
        format!(
            "agi_network_script: handoff\nagi_callerid: 22334455\nagi_calleridname: {name}\nagi_callingpres: {presentation}\nagi_threadid: 2\n{arguments}\n"
        )
        .as_bytes(),
    )
}

#[test]
fn a_call_whose_block_says_something_twice_is_not_looked_up() {
    for key in ["network_script", "calleridname", "callingpres", "threadid", "arg_1", "dnid"] {
        let (name, arguments) = (format!("Kari\nagi_{key}: 0"), "agi_dnid: 1\nagi_arg_1: NO\n");
        for presentation in ["0", "32"] {
            let block = described(&name, presentation, arguments).unwrap();
            assert!(!block.is_allowed(), "{key} {presentation}");
            assert_eq!((block.script.as_str(), block.country.as_str()), ("handoff", "NO"), "{key}");
        }
        assert!(described("Kari", "0", arguments).unwrap().is_allowed());
    }
    assert_eq!(described("Kari\nagi_callerid: 1", "0", ""), None);
    let block = described("Kari\n\nX: yes\nagi_other: 1", "0", "agi_arg_1: NO\n").unwrap();
    assert_eq!((block.is_allowed(), block.country.as_str()), (true, "NO"));
    // An argument in the caller's name, while `AGI()` has no argument.
    let block = described("Kari\nagi_arg_1: SE", "0", "").unwrap();
    assert_eq!((block.is_allowed(), block.country.as_str()), (true, ""));
}

/// The caller's name has a whole block of its own. The rest of Asterisk's block follows at once, or a moment later.
#[tokio::test]
async fn a_caller_who_ends_the_block_is_told_nothing() {
    let server = Running::usual().await;
    let forged = "agi_callerid: 22334455\nagi_calleridname: Kari\nagi_callingpres: 0\nagi_threadid: 1\n\n";
    let own = "agi_calleridname: A\nagi_callingpres: 32\nagi_threadid: 2\n\n";
    let mut client = server.connect().await;
    client.say(&format!("agi_network_script: lookup\n{forged}{own}")).await;
    assert!(client.is_closed().await);
    // With a name, and without.
    for forged in
        [forged, "agi_channel: SIP/1\nagi_callerid: 22334455\nagi_callingpres: 0\nagi_threadid: 1\n\n"]
    {
        let mut client = server.connect().await;
        client.say(&format!("agi_network_script: lookup\n{forged}")).await;
        // No command has something about the caller yet.
        assert_eq!(client.command().await, "NOOP\n");
        client.say(own).await;
        assert!(client.is_closed().await);
    }
    assert!(server.count("nameplate_calls_total{pbx=\"agi\",outcome=\"unserved\"} 3"));
}

#[test]
fn a_value_stays_within_its_quotes() {
    for (value, command) in [
        ("Zoë O'Brien", "SET VARIABLE X \"Zoë O'Brien\"\n"),
        ("a\"b\\c", "SET VARIABLE X \"a\\\"b\\\\c\"\n"),
        ("a\"\nHANGUP\n", "SET VARIABLE X \"a\\\" HANGUP \"\n"),
        ("${SHELL(id)}", "SET VARIABLE X \"${SHELL(id)}\"\n"),
    ] {
        assert_eq!(set_variable("X", value), command);
    }
}
