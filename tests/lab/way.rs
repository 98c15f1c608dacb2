//! The ways from a dialplan to the program and back, on the versions of Asterisk that are met. A promise about calls
//! is proved by each of them ([`by_every_way`](crate::by_every_way)).

use super::asterisk::{Asterisk, Setup};
use super::configuration::{config, folder, onsite, superoffice};
use super::nameplate::{Folder, Nameplate};
use super::superoffice::StandIn;

/// A way in, on a version of Asterisk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// ARI, with requests on the websocket, on Asterisk 22.
    Websocket,
    /// ARI, with requests over HTTP, on an Asterisk 22 that answers none on the websocket, as up to 22.3.
    Http,
    /// ARI, with requests over HTTP, on Asterisk 16, which knows no other.
    HttpOn16,
    /// FastAGI on Asterisk 22.
    Agi,
    /// FastAGI on Asterisk 16.
    AgiOn16,
}

impl Way {
    /// Whether calls enter `AGI()`.
    pub(crate) fn is_agi(self) -> bool {
        matches!(self, Self::Agi | Self::AgiOn16)
    }

    /// An Asterisk with this dialplan, whose lookups go this way.
    pub(crate) fn asterisk(self, dialplan: &str) -> Asterisk {
        self.asterisk_with(&Setup { dialplan, ..Setup::default() })
    }

    /// The same, with more of it chosen.
    pub(crate) fn asterisk_with(self, setup: &Setup<'_>) -> Asterisk {
        let version = match self {
            // Whatever the lab's usual one is.
            Self::Websocket | Self::Http | Self::Agi => None,
            Self::HttpOn16 | Self::AgiOn16 => Some("16"),
        };
        let dialplan = self.line(setup.dialplan);
        let muffled = self == Self::Http;
        Asterisk::start_with(&Setup { dialplan: &dialplan, version, muffled, ..*setup })
    }

    /// A dialplan's lines, in which lookups go this way.
    pub(crate) fn line(self, dialplan: &str) -> String {
        if self.is_agi() {
            let dialplan = dialplan.replace("(nameplate,lookup,", "(nameplate,lookup-agi,");
            let dialplan = dialplan.replace("(nameplate,called,", "(nameplate,called-agi,");
            let dialplan = dialplan.replace("(nameplate,called-replicas,", "(nameplate,called-agi-replicas,");
            dialplan.replace("(nameplate,lookup-replicas,", "(nameplate,lookup-agi-replicas,")
        } else {
            dialplan.into()
        }
    }

    /// A configuration for this CRM and this PBX, with no other way than this one.
    pub(crate) fn config(self, crm: &StandIn, asterisk: &Asterisk) -> String {
        if self.is_agi() {
            superoffice(&onsite(&crm.api_url())) + &format!("\n[agi]\nlisten = \"{}\"\n", asterisk.agi())
        } else {
            config(&crm.api_url(), &asterisk.http_url())
        }
    }

    /// The same for one of two services, `1` or `2`, that this PBX asks in turn.
    pub(crate) fn config_of_replica(self, which: u8, crm: &StandIn, asterisk: &Asterisk) -> String {
        let config = self.config(crm, asterisk);
        let config =
            config.replace("[[asterisk]]\n", &format!("[[asterisk]]\napp = \"nameplate-{which}\"\n"));
        if which == 1 {
            return config;
        }
        config.replace(&asterisk.agi().to_string(), &asterisk.second_agi().to_string())
    }

    /// A folder with that configuration, and its passwords.
    pub(crate) fn folder(self, crm: &StandIn, asterisk: &Asterisk) -> Folder {
        let folder = folder(crm, asterisk);
        folder.configure(&self.config(crm, asterisk));
        folder
    }

    /// Waits until the program answers calls.
    pub(crate) async fn until_ready(self, nameplate: &Nameplate) {
        if !self.is_agi() {
            nameplate.until_ready().await;
            if self == Self::Http {
                nameplate.until_logged("answers go over HTTP", 1).await;
            }
            return;
        }
        nameplate.until_logged("FastAGI server listens", 1).await;
        nameplate.until_logged("directory is in place", 1).await;
    }
}

/// Proves each promise by every way.
#[macro_export]
macro_rules! by_every_way {
    ($($(#[$meta:meta])* async fn $name:ident($way:ident) $promise:block)+) => {
        $(
            $crate::by_these_ways! {
                $(#[$meta])* async fn $name($way) $promise
                websocket = Websocket, http = Http, http_on_16 = HttpOn16, agi = Agi, agi_on_16 = AgiOn16
            }
        )+
    };
}

/// Proves each promise by every way of ARI's, where FastAGI makes no such one.
#[macro_export]
macro_rules! by_every_way_of_ari {
    ($($(#[$meta:meta])* async fn $name:ident($way:ident) $promise:block)+) => {
        $(
            $crate::by_these_ways! {
                $(#[$meta])* async fn $name($way) $promise
                websocket = Websocket, http = Http, http_on_16 = HttpOn16
            }
        )+
    };
}

/// A module with a test for each of these ways: `name = Way`.
#[macro_export]
macro_rules! by_these_ways {
    ($(#[$meta:meta])* async fn $name:ident($way:ident) $promise:block $($test:ident = $by:ident),+) => {
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn promise($way: $crate::lab::way::Way) $promise

            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    promise($crate::lab::way::Way::$by).await;
                }
            )+
        }
    };
}
