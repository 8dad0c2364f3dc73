//! The smallest tool.

use gabier_tool::{Context, Effect, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Services;

/// Demo: uppercase some text.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("x-annotations" = {"authRequiredHint": false, "streamingHint": false}))]
pub(super) struct MonOutilSync {
    /// Text.
    donnee_entree: String,
    /// Adds ⚡.
    #[serde(default)]
    option_rapide: bool,
}

/// The text in capitals.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Capitals {
    /// That it was done.
    message: String,
    /// The text in capitals.
    #[serde(rename = "valeurTraitee")]
    valeur_traitee: String,
    /// When, in milliseconds since 1970.
    timestamp: i64,
}

impl Tool<Services> for MonOutilSync {
    const NAME: &'static str = "monOutilSync";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    const TITLE: &'static str = "Mon outil synchrone";
    const KEYWORDS: &'static str = "example test exemple démonstration outil";
    type Output = Capitals;

    async fn run(self, ctx: &Context<Services>) -> Result<Capitals> {
        let capitals = self.donnee_entree.to_uppercase();
        Ok(Capitals {
            message: "Traitement synchrone effectué avec succès.".to_owned(),
            valeur_traitee: if self.option_rapide { format!("⚡ {capitals} ⚡") } else { capitals },
            timestamp: ctx.now().timestamp_millis(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use crate::testing::call_on;

    async fn check(arguments: &str, valeur: &str) {
        let services = Services::open(&Settings::default(), None).unwrap();
        let told = call_on::<MonOutilSync>(services, arguments).await;
        let expected = format!(
            r#"{{"message":"Traitement synchrone effectué avec succès.","valeurTraitee":"{valeur}","timestamp":1767323045678}}"#
        );
        assert_eq!(told, expected);
    }

    #[tokio::test]
    async fn the_quick_option_adds_lightning() {
        check(r#"{"donnee_entree": "abc"}"#, "ABC").await;
        check(r#"{"donneeEntree": "abc", "optionRapide": true}"#, "⚡ ABC ⚡").await;
    }
}
