//! Types of parameters and results that carry their meaning into every face.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A secret parameter: never printed, never echoed, taken from a source on the command line.
#[derive(Clone, Deserialize)]
pub struct Secret(SecretString);

impl Secret {
    /// The value, at the place where it is used and nowhere else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The value as the redactor keeps it.
    pub fn to_secret_string(&self) -> SecretString {
        self.0.clone()
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(SecretString::from(value))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::redact::REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(crate::redact::REDACTED)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "password", "writeOnly": true})
    }
}

macro_rules! text_types {
    ($($(#[$doc:meta])* $name:ident { $($key:literal: $value:expr),* };)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string" $(, $key: $value)*})
            }
        }
    )*};
}

text_types! {
    /// Long text of a result, cut head + tail to what the face can take.
    Text { "x-text": true };

    /// A secret of a result that is shown this once (`admin_create_token`).
    Reveal { "x-reveal": true };

    /// A path on the machine gabier runs on; completes files, and `root:` resources limit it.
    LocalPath { "minLength": 1, "maxLength": 4096, "x-complete": "path", "x-resource": "root" };

    /// The alias of a host; completes hosts, and `host:` resources limit it.
    HostRef { "minLength": 1, "maxLength": 255, "x-complete": "host", "x-resource": "host" };

    /// The hosts a call means: an alias, a group, `all`, or several by commas (a list of them is joined). Which they
    /// are, and which of them its caller may use, is known where hosts are.
    HostsRef { "maxLength": 4096, "x-complete": "host", "x-join": "," };
}
