//! The word for an Azure cloud, and its portal. Where queries and tokens are asked for is the adapter's business.

use url::Url;

/// Which Azure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cloud {
    /// The public cloud.
    #[default]
    Public,
    /// US Government.
    UsGov,
    /// China, operated by 21Vianet.
    China,
}

impl Cloud {
    /// All clouds.
    pub const ALL: [Self; 3] = [Self::Public, Self::UsGov, Self::China];

    /// The cloud that a storage account is in, by its host.
    pub fn of_account(account_url: &Url) -> Self {
        let host = account_url.host_str().unwrap_or_default();
        if host.ends_with(".usgovcloudapi.net") {
            Self::UsGov
        } else if host.ends_with(".chinacloudapi.cn") {
            Self::China
        } else {
            Self::Public
        }
    }

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::UsGov => "usgov",
            Self::China => "china",
        }
    }

    /// Host of the portal, for links.
    pub const fn portal_host(self) -> &'static str {
        match self {
            Self::Public => "portal.azure.com",
            Self::UsGov => "portal.azure.us",
            Self::China => "portal.azure.cn",
        }
    }
}
