//! The id of a resource, taken apart. Ids come from people, from logs and from services: only what has the shape of one
//! ever becomes part of a URL or of a command.

use std::fmt;

/// The longest id that is taken.
const MOST: usize = 1024;

/// `/subscriptions/…/resourceGroups/…/providers/NAMESPACE/TYPE/NAME…`. Compared without regard to case, as the service does.
#[derive(Clone, Debug)]
pub struct ResourceId {
    text: String,
    lower: String,
}

impl ResourceId {
    /// The id, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches('/');
        if text.len() > MOST {
            return None;
        }
        let parts: Vec<&str> = text.split('/').collect();
        let ["", subscriptions, subscription, groups, group, providers, namespace, rest @ ..] =
            parts.as_slice()
        else {
            return None;
        };
        let good = subscriptions.eq_ignore_ascii_case("subscriptions")
            && is_guid(subscription)
            && groups.eq_ignore_ascii_case("resourceGroups")
            && providers.eq_ignore_ascii_case("providers")
            && rest.len() >= 2
            && rest.len() % 2 == 0
            && is_segment(group)
            && is_segment(namespace)
            && rest.iter().all(|segment| is_segment(segment));
        good.then(|| Self { text: text.to_owned(), lower: text.to_lowercase() })
    }

    /// The id of a child or an extension of this one.
    pub fn child(&self, path: &str) -> String {
        format!("{}/{path}", self.text)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The subscription's id.
    pub fn subscription(&self) -> &str {
        self.part(2)
    }

    /// The name of the resource group.
    pub fn group(&self) -> &str {
        self.part(4)
    }

    /// The resource's name.
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it is of this type (`Microsoft.Web/sites`).
    pub fn is(&self, kind: &str) -> bool {
        let parts: Vec<&str> = self.lower.split('/').collect();
        let (Some(namespace), Some(kinds)) = (parts.get(6), parts.get(7..)) else { return false };
        let types = kinds.iter().step_by(2).copied();
        let own: Vec<&str> = std::iter::once(*namespace).chain(types).collect();
        own.join("/") == kind.to_lowercase()
    }

    fn part(&self, n: usize) -> &str {
        self.text.split('/').nth(n).unwrap_or_default()
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.lower == other.lower
    }
}

impl Eq for ResourceId {}

impl PartialOrd for ResourceId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ResourceId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.lower.cmp(&other.lower)
    }
}

/// A name as resources and groups have them.
fn is_segment(text: &str) -> bool {
    !text.is_empty()
        && !text.bytes().all(|b| b == b'.')
        && text.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c))
}

/// Whether a text is a GUID, as subscriptions, tenants and workspaces have them.
pub fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SUB: &str = "/subscriptions/00000000-0000-0000-0000-000000000001";

    #[test]
    fn what_is_an_id_and_what_is_none() {
        let hsm = "providers/Microsoft.HardwareSecurityModules/cloudHsmClusters/hsm-1";
        let id = ResourceId::parse(&format!("{SUB}/resourceGroups/rg (ä).x/{hsm}"));
        assert!(id.is_none(), "a space is not in a name");
        let id = ResourceId::parse(&format!("{SUB}/resourceGroups/rg_(ä).x/{hsm}/")).unwrap();
        assert_eq!(id.subscription(), "00000000-0000-0000-0000-000000000001");
        assert_eq!((id.group(), id.name()), ("rg_(ä).x", "hsm-1"));
        assert!(id.is("microsoft.hardwaresecuritymodules/CLOUDHSMCLUSTERS"));
        assert!(!id.is("Microsoft.HardwareSecurityModules"));
        assert_eq!(ResourceId::parse(&id.as_str().to_uppercase()), Some(id.clone()));
        for bad in [
            String::new(),
            SUB.to_owned(),
            format!("{SUB}/resourceGroups/rg"),
            format!("{SUB}/resourceGroups/../{hsm}"),
            format!("{SUB}/resourceGroups/rg/{hsm}/x"),
            format!("{SUB}/resourceGroups/rg/{hsm}?x=1"),
            format!("{SUB}/resourceGroups/rg/{hsm}%2f"),
            format!("{SUB}/resourceGroups/rg/{hsm}';reboot;'"),
            format!("{SUB}/resourceGroups/$(id)/{hsm}"),
            format!("https://evil.example{SUB}/resourceGroups/rg/{hsm}"),
            format!("/subscriptions/no-guid/resourceGroups/rg/{hsm}"),
            format!("{SUB}/resourceGroups/rg/{hsm}\u{202e}"),
            format!("{SUB}/resourceGroups/{}/{hsm}", "x".repeat(2000)),
        ] {
            assert_eq!(ResourceId::parse(&bad), None, "{bad}");
        }
    }

    proptest! {
        /// What is taken is safe in a URL's path, and in single words of a shell but for brackets.
        #[test]
        fn nothing_but_names_is_taken(group in "\\PC{1,20}", name in "[a-z$'\"`;&|<>()?#%\\\\ .-]{1,12}") {
            let text = format!("{SUB}/resourceGroups/{group}/providers/A.B/c/{name}");
            if let Some(id) = ResourceId::parse(&text) {
                prop_assert!(!id.as_str().contains(|c: char| c.is_control() || c.is_whitespace() || "$'\"`;&|<>?#%\\".contains(c)));
                prop_assert!(id.as_str().split('/').all(|part| part != ".." && part != "."));
                prop_assert_eq!(id.as_str().split('/').count(), 9);
            }
        }
    }

    #[test]
    fn children_have_a_type_of_their_own() {
        let id = format!(
            "{SUB}/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/w/tables/T"
        );
        let id = ResourceId::parse(&id).unwrap();
        assert!(id.is("Microsoft.OperationalInsights/workspaces/tables"));
        assert!(!id.is("Microsoft.OperationalInsights/workspaces"));
    }
}
