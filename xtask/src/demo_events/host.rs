//! Who is there: two HSMs and the hosts that use them.

/// A Cloud HSM cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hsm {
    /// Its records have the new columns: `HsmInstance`, `ClusterType`.
    WestEurope,
    /// Its records have the old ones: `MemberId`, `PoolType`.
    NorthEurope,
}

impl Hsm {
    /// The id as the archive writes it: in upper case.
    pub(super) fn resource(self) -> &'static str {
        macro_rules! id {
            ($name:literal) => {
                concat!(
                    "/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000000/RESOURCEGROUPS/RG-HSM-PROD",
                    "/PROVIDERS/MICROSOFT.HARDWARESECURITYMODULES/CLOUDHSMCLUSTERS/",
                    $name
                )
            };
        }
        match self {
            Self::WestEurope => id!("HSM-PROD-WEU"),
            Self::NorthEurope => id!("HSM-PROD-NEU"),
        }
    }
}

/// A host on one HSM.
#[derive(Clone, Copy, Debug)]
pub(super) struct Host {
    pub(super) hsm: Hsm,
    pub(super) caller: &'static str,
    pub(super) client: &'static str,
    pub(super) sdk: &'static str,
}

impl Host {
    const fn new(hsm: Hsm, caller: &'static str, client: &'static str, sdk: &'static str) -> Self {
        Self { hsm, caller, client, sdk }
    }
}

use Hsm::{NorthEurope, WestEurope};

pub(super) const PAYMENTS: [Host; 2] = [
    Host::new(WestEurope, "10.20.1.11", "payments-1 (PKCS#11)", "2.0.2.1"),
    Host::new(WestEurope, "10.20.1.12", "payments-2 (PKCS#11)", "2.0.2.1"),
];
pub(super) const DOCUMENTS: Host = Host::new(NorthEurope, "10.20.2.21", "docsign (JCE)", "2.0.2.1");
pub(super) const ISSUING_CA: Host =
    Host::new(NorthEurope, "10.20.3.31", "issuing-ca (KSP)", "2.0.1.1");
pub(super) const ADMINS: [Host; 2] = [
    Host::new(WestEurope, "10.20.9.41", "azcloudhsm_mgmt_util", "2.0.2.1"),
    Host::new(NorthEurope, "10.20.9.42", "azcloudhsm_mgmt_util", "2.0.2.1"),
];
pub(super) const PROBES: [Host; 2] = [
    Host::new(WestEurope, "10.20.9.50", "hsm-probe", "2.0.2.1"),
    Host::new(NorthEurope, "10.20.9.50", "hsm-probe", "2.0.2.1"),
];
pub(super) const ROTATION: Host =
    Host::new(WestEurope, "10.20.9.60", "key-rotation (PKCS#11)", "2.0.2.1");

/// All who have been there before.
pub(super) const KNOWN: [Host; 9] = [
    PAYMENTS[0],
    PAYMENTS[1],
    DOCUMENTS,
    ISSUING_CA,
    ADMINS[0],
    ADMINS[1],
    PROBES[0],
    PROBES[1],
    ROTATION,
];

/// The one who has not. The address is of a range kept for examples.
pub(super) const STRANGER: Host =
    Host::new(WestEurope, "203.0.113.77", "python-pkcs11/0.7 linux-x86_64 kali", "2.0.0.4");

/// What a client may say of itself: markup of every receiver, a second line, a terminal's escape, reversed text.
pub(super) const HOSTILE: &str = "</code><script>alert(1)</script> <!channel> @everyone \
    [reset your password](https://login.example.net) *all is well* `{{7*7}}` \"\\ | \u{1b}[2J\u{202e}txt.exe\u{202c}\nseverity: info";

/// Opcodes where the opcode reference of this family of HSMs has one; the column is empty otherwise.
pub(super) fn opcode(operation: &str) -> &'static str {
    match operation {
        "CN_CREATE_USER" => "0x3",
        "CN_CHANGE_PSWD" => "0x9",
        "CN_LOGIN" => "0xd",
        "CN_LOGOUT" => "0xe",
        "CN_CLOSE_SESSION" => "0x10",
        "CN_SHARE_OBJECT" => "0x12",
        "CN_WRAP_KEY" => "0x1a",
        "CN_DELETE_USER" => "0xa1",
        "CN_GENERATE_KEY" => "0x18",
        "CN_GENERATE_KEY_PAIR" => "0x19",
        "CN_MODIFY_OBJECT" => "0x1b",
        "CN_TOMBSTONE_OBJECT" => "0x1d",
        "CN_EXTRACT_MASKED_OBJECT_USER" => "0xf0",
        _ => "",
    }
}
