//! The Azure clouds: which hosts stand for what.

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

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::UsGov => "usgov",
            Self::China => "china",
        }
    }

    /// Host of the Log Analytics query API.
    pub const fn query_host(self) -> &'static str {
        match self {
            Self::Public => "api.loganalytics.azure.com",
            Self::UsGov => "api.loganalytics.us",
            Self::China => "api.loganalytics.azure.cn",
        }
    }

    /// Scope of a token for the query API. The public one names the older host, as the service documents it.
    pub const fn query_scope(self) -> &'static str {
        match self {
            Self::Public => "https://api.loganalytics.io/.default",
            Self::UsGov => "https://api.loganalytics.us/.default",
            Self::China => "https://api.loganalytics.azure.cn/.default",
        }
    }

    /// Host of the Entra authority.
    pub const fn authority_host(self) -> &'static str {
        match self {
            Self::Public => "login.microsoftonline.com",
            Self::UsGov => "login.microsoftonline.us",
            Self::China => "login.chinacloudapi.cn",
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
