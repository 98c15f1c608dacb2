//! What `nameplate sources` says of the replicas.

use std::io::{self, Write};

use crate::cli::lookup::printable;
use crate::lists::status::time_span;
use crate::share::life::ReplicaStatus;
use crate::share::replica::ShareStatus;

/// Shows what the replicas have of a list.
pub(super) fn show(share: &ShareStatus, out: &mut impl Write) -> io::Result<()> {
    if let Some(trouble) = &share.trouble {
        writeln!(out, "  replicas      their server can't be used: {}", printable(trouble))?;
    } else {
        let holder = share.holder.as_deref().map_or_else(|| "nobody".to_owned(), printable);
        let this = if share.is_holder { ", which is this machine," } else { "" };
        writeln!(out, "  replicas      {holder}{this} asks for all")?;
    }
    let version = |version: &Option<String>| version.clone().unwrap_or_else(|| "none".to_owned());
    let own = if share.is_own { "newer than " } else { "" };
    writeln!(out, "  version       {own}{} here, {} there", version(&share.here), version(&share.there))
}

/// Shows when each replica was last seen, and what it has.
pub(super) fn show_replicas(replicas: &[ReplicaStatus], out: &mut impl Write) -> io::Result<()> {
    if !replicas.is_empty() {
        writeln!(out, "replicas")?;
    }
    replicas.iter().try_for_each(|replica| writeln!(out, "  {}", line(replica)))
}

/// `pbx1          holder, this one, 3 s ago, nameplate 0.4.0, crm 7.2`
fn line(replica: &ReplicaStatus) -> String {
    let mut parts = Vec::new();
    if replica.is_holder {
        parts.push("holder".to_owned());
    }
    if replica.is_this {
        parts.push("this one".to_owned());
    }
    let last = if replica.is_living { "" } else { "last seen " };
    parts.push(format!("{last}{} ago", time_span(replica.seconds)));
    parts.push(format!("nameplate {}", printable(&replica.nameplate)));
    if !replica.reads {
        parts.push("which can't read these lists".to_owned());
    }
    parts.extend(replica.lists.iter().map(|(list, version)| format!("{} {version}", printable(list))));
    format!("{:<13} {}", printable(&replica.name), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_a_line() {
        let pbx1 = ReplicaStatus {
            name: "pbx1".into(),
            is_this: true,
            is_holder: true,
            is_living: true,
            seconds: 3,
            nameplate: "0.4.0".into(),
            formats: vec![1],
            reads: true,
            lists: [("crm".to_owned(), "7.2".to_owned())].into(),
        };
        let pbx2 = ReplicaStatus {
            name: "pbx2".into(),
            is_this: false,
            is_holder: false,
            is_living: false,
            seconds: 300,
            nameplate: "0.9.0".into(),
            formats: vec![2, 3],
            reads: false,
            lists: [].into(),
        };
        let mut out = Vec::new();
        show_replicas(&[pbx1, pbx2], &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "replicas\n  pbx1          holder, this one, 3 s ago, nameplate 0.4.0, crm 7.2\n  \
             pbx2          last seen 5 min ago, nameplate 0.9.0, which can't read these lists\n"
        );
    }
}
