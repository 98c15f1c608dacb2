//! What differs between the versions of Asterisk.

/// Whether `POST channels/{id}/variable` poisons the dialplan on this version: Asterisk then refuses `DB()`, `SHELL()` and
/// others for the rest of the call. So do 20.20.1, 21.12.3, 22.10.1, 23.4.1 and later. An unknown version counts as one of
/// them.
pub(super) fn poisons(version: &str) -> bool {
    let Some((major, rest)) = parts(version) else { return true };
    match major {
        ..20 => false,
        20 => rest >= (20, 1),
        21 => rest >= (12, 3),
        22 => rest >= (10, 1),
        23 => rest >= (4, 1),
        24.. => true,
    }
}

/// Whether a command to a call in `Stasis()` waits up to 200 ms while no media flows: before 20.10, 21.5 and 22.0. An unknown
/// version counts as a new one.
#[must_use]
pub fn delays_commands(version: &str) -> bool {
    let Some((major, rest)) = parts(version) else { return false };
    match major {
        ..20 => true,
        20 => rest < (10, 0),
        21 => rest < (5, 0),
        22.. => false,
    }
}

/// `22.10.1+dfsg` → `(22, (10, 1))`; none if there is no number.
fn parts(version: &str) -> Option<(u32, (u32, u32))> {
    let mut numbers = version
        .split(|c: char| !c.is_ascii_digit())
        .filter(|number| !number.is_empty())
        .map(|number| number.parse::<u32>().unwrap_or(u32::MAX));
    let major = numbers.next()?;
    Some((major, (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_poison_the_dialplan() {
        for (version, poisoned) in [
            ("16.28.0~dfsg-0+deb11u4", false),
            ("20.20.0", false),
            ("20.20.1", true),
            ("21.12.2", false),
            ("22.10.1+dfsg+~cs6.15.60671435-1", true),
            ("22.9.4", false),
            ("23.4.1", true),
            ("24.0.0", true),
            ("GIT-master", true),
        ] {
            assert_eq!(poisons(version), poisoned, "{version}");
        }
    }

    #[test]
    fn versions_that_delay_commands() {
        for (version, delays) in [
            ("16.28.0~dfsg-0+deb11u4", true),
            ("20.9.3", true),
            ("20.10.0", false),
            ("21.4.9", true),
            ("21.5.0", false),
            ("22.0.0", false),
            ("23.1.0", false),
            ("GIT-master", false),
        ] {
            assert_eq!(delays_commands(version), delays, "{version}");
        }
    }
}
