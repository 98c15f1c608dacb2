//! The names of the keys in the server, and the scripts that change them. The server runs a script as a whole or not at all.
//!
//! Each key begins with `{np:SITE}:`, so that all are at one place of a cluster, and one line of an ACL is enough:
//!
//! | key | what it is |
//! |---|---|
//! | `lease` | the holder: a hash of `id`, `epoch`, `by` |
//! | `epoch` | the last epoch |
//! | `key` | the id of the replicas' key, as long as there is a holder |
//! | `list:NAME` | the list's version and its sealed manifest; the sealed description of a list that is held back |
//! | `chunk:SHA256` | a part of a list, compressed and sealed |
//! | `search:HMAC` | the result of a search for a stranger, sealed |
//! | `forgotten` | all decisions about numbers that must not be named, sealed |
//! | `replicas` | the last sign of each replica by its id: the time by the server's clock, a blank, and the sealed sign |
//! | `events` | a stream: which list has changed, is wanted or is to be accepted, and what came of that; which search has a result; that
//! numbers were forgotten |

use redis::Script;

/// The commands that a user of the server's ACL needs. A trailing `-@dangerous` takes INFO and ROLE away, so they stand behind it.
const RIGHTS: &str =
    "resetchannels -@all +@read +@write +@scripting +@connection -@dangerous +info +wait +role +time";

/// The names of a site's keys.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// The keys of a site.
    #[must_use]
    pub fn of(site: &str) -> Self {
        Self { prefix: format!("{{np:{site}}}:") }
    }

    /// What a user of the server's ACL needs, as `ACL SETUSER nameplate` takes it: docs/replicas.md has the same.
    #[must_use]
    pub fn rights(&self) -> String {
        format!("~{}* {RIGHTS}", self.prefix)
    }

    /// The key with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The key of a list.
    #[must_use]
    pub fn list(&self, name: &str) -> String {
        self.named(&format!("list:{name}"))
    }

    /// The key of a chunk.
    #[must_use]
    pub fn chunk(&self, name: &str) -> String {
        self.named(&format!("chunk:{name}"))
    }
}

/// The scripts.
#[derive(Debug)]
pub struct Scripts {
    /// Takes the lease if it is free, or renews it, in a new epoch if any replica has seen a higher one. Keys: `lease`, `epoch`, `key`. Arguments: the replica's id, the life in ms, the
    /// highest epoch that it has seen, the id of its key, its name. Returns a code ([`HELD`], [`OTHERS`], [`OTHER_KEY`]), the
    /// epoch, and what is left of another's life in ms.
    pub hold: Script,
    /// Gives the lease back. Key: `lease`. Argument: the replica's id.
    pub release: Script,
    /// Switches a list to a new version. Keys: `lease`, the list, `events`. Arguments: epoch, id, sequence, manifest, format, time,
    /// the list's name. Returns a code ([`HELD`], [`NOT_HOLDER`], [`OLDER`]).
    pub switch: Script,
    /// Renews the life of a list's chunks. Keys: the list, `events`, the chunks. Arguments: epoch, id, sequence, the chunks' life in
    /// ms, the time of the CRM's last answer or nothing, the list's name. Returns the count of chunks that are
    /// missing, or -1 if the list has another version.
    pub keep: Script,
    /// Says what is held back. Keys: `lease`, the list, `events`. Arguments: epoch, id, the sealed description or nothing, the list's
    /// name. Returns a code ([`HELD`], [`NOT_HOLDER`]).
    pub hold_back: Script,
    /// Replaces the decisions about numbers that must not be named. Keys: `forgotten`, `events`. Arguments: what is there, or nothing;
    /// what is to be there. Returns 1, or 0 if something else is there.
    pub replace_forgotten: Script,
    /// Writes a replica's sign, and takes out what is too old. Key: `replicas`. Arguments: the replica's id, its sign, the id of a replica
    /// that has ended or nothing, how long a sign means life in ms, how long a sign is remembered in ms, how many are.
    /// Returns for each replica: the age of its sign in ms, its id, the sign.
    pub live: Script,
}

/// Done.
pub const HELD: i64 = 0;
/// Another replica has the lease.
pub const OTHERS: i64 = 1;
/// The replicas have another key.
pub const OTHER_KEY: i64 = 2;
/// This replica does not have the lease.
pub const NOT_HOLDER: i64 = 1;
/// The list has this version or a later one.
pub const OLDER: i64 = 2;

impl Default for Scripts {
    fn default() -> Self {
        Self {
            hold: Script::new(HOLD),
            release: Script::new(RELEASE),
            switch: Script::new(SWITCH),
            keep: Script::new(KEEP),
            hold_back: Script::new(HOLD_BACK),
            replace_forgotten: Script::new(REPLACE_FORGOTTEN),
            live: Script::new(LIVE),
        }
    }
}

const HOLD: &str = r"
local key = redis.call('GET', KEYS[3])
if key and key ~= ARGV[4] then return {2, 0, 0} end
local held = redis.call('HMGET', KEYS[1], 'id', 'epoch')
local stored = tonumber(redis.call('GET', KEYS[2]) or '0')
local highest = math.max(stored, tonumber(ARGV[3]))
if held[1] and held[1] ~= ARGV[1] then
    -- A full server takes no writes, and can be read.
    if highest > stored then redis.call('SET', KEYS[2], string.format('%.0f', highest)) end
    return {1, tonumber(held[2]), redis.call('PTTL', KEYS[1])}
end
local epoch = held[2]
if not held[1] or highest > tonumber(epoch) then
    epoch = string.format('%.0f', highest + 1)
    redis.call('SET', KEYS[2], epoch)
    redis.call('HSET', KEYS[1], 'id', ARGV[1], 'epoch', epoch, 'by', ARGV[5])
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[2])
return {0, tonumber(epoch), 0}
";

const RELEASE: &str = r"
if redis.call('HGET', KEYS[1], 'id') == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
";

// An id is compared as text: hexadecimal digits of one length have the order of their numbers.
const SWITCH: &str = r"
local held = redis.call('HMGET', KEYS[1], 'id', 'epoch')
if held[1] ~= ARGV[2] or held[2] ~= ARGV[1] then return 1 end
local old = redis.call('HMGET', KEYS[2], 'epoch', 'holder', 'sequence')
if old[1] then
    local epoch, sequence = tonumber(ARGV[1]) - tonumber(old[1]), tonumber(ARGV[3]) - tonumber(old[3])
    local is_later = epoch > 0
    if epoch == 0 then is_later = ARGV[2] > old[2] or (ARGV[2] == old[2] and sequence > 0) end
    if not is_later then return 2 end
end
redis.call('HSET', KEYS[2], 'epoch', ARGV[1], 'holder', ARGV[2], 'sequence', ARGV[3],
    'manifest', ARGV[4], 'format', ARGV[5], 'checked', ARGV[6])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', '1000', '*', 'changed', ARGV[7])
return 0
";

const KEEP: &str = r"
local now = redis.call('HMGET', KEYS[1], 'epoch', 'holder', 'sequence')
if now[1] ~= ARGV[1] or now[2] ~= ARGV[2] or now[3] ~= ARGV[3] then return -1 end
local missing = 0
for place = 3, #KEYS do
    if redis.call('PEXPIRE', KEYS[place], ARGV[4]) == 0 then missing = missing + 1 end
end
if ARGV[5] ~= '' then
    redis.call('HSET', KEYS[1], 'checked', ARGV[5])
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', '1000', '*', 'checked', ARGV[6])
end
return missing
";

const HOLD_BACK: &str = r"
local held = redis.call('HMGET', KEYS[1], 'id', 'epoch')
if held[1] ~= ARGV[2] or held[2] ~= ARGV[1] then return 1 end
if ARGV[3] ~= '' then
    redis.call('HSET', KEYS[2], 'held', ARGV[3])
else
    redis.call('HDEL', KEYS[2], 'held')
end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', '1000', '*', 'held', ARGV[4])
return 0
";

const REPLACE_FORGOTTEN: &str = r"
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', '1000', '*', 'forgotten', '')
return 1
";

const LIVE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[3] ~= '' then redis.call('HDEL', KEYS[1], ARGV[3]) end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f ', now) .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
local all, signs, silent = redis.call('HGETALL', KEYS[1]), {}, {}
for place = 1, #all, 2 do
    local blank = string.find(all[place + 1], ' ', 1, true) or 0
    local age = now - (tonumber(string.sub(all[place + 1], 1, blank - 1)) or 0)
    local sign = { age, all[place], string.sub(all[place + 1], blank + 1) }
    table.insert(age > tonumber(ARGV[4]) and silent or signs, sign)
end
table.sort(silent, function(one, other) return one[1] < other[1] end)
for place, sign in ipairs(silent) do
    if place > tonumber(ARGV[6]) or sign[1] > tonumber(ARGV[5]) then
        redis.call('HDEL', KEYS[1], sign[2])
    else
        table.insert(signs, sign)
    end
end
return signs
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_site_have_one_hash_tag() {
        let keys = Keys::of("oslo");
        assert_eq!(keys.named("lease"), "{np:oslo}:lease");
        assert_eq!(keys.list("crm-7"), "{np:oslo}:list:crm-7");
        assert_eq!(keys.chunk("ab"), "{np:oslo}:chunk:ab");
    }

    #[test]
    fn the_line_of_the_page_gives_the_rights() {
        let page = include_str!("../../docs/replicas.md");
        let line = format!("ACL SETUSER nameplate on >PASSWORD {}\n", Keys::of("oslo").rights());
        assert!(page.contains(&line), "{line}");
    }
}
