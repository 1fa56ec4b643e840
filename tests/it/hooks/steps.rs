//! What people read after `azd provision` and `azd deploy`, what stops `azd down`, and the notes of a release.

use super::sandbox::Sandbox;

fn provisioned(privileged: &str, next: &str) -> String {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("AZURE_FUNCTION_NAME", "hsmwatch-abc")
        .set("AZURE_RESOURCE_GROUP", "rg-watch")
        .set("privilegedSteps", privileged)
        .set("nextSteps", next);
    sandbox.run("after-provision.sh", &[]).well()
}

/// As azd hands them over: Go's JSON, which writes `<`, `>` and `&` in digits.
const PRIVILEGED: &str = r#"[{"who":"Owner of ws-logs in the group rg-logs","what":"let the app read the audit tables","az":"az role assignment create --condition '(@Resource[x:name] StringEquals '\\''T'\\'')' --output none","powershell":"New-AzRoleAssignment -Condition '''T'''"}]"#;
const NEXT: &str = r#"[{"what":"set the secret hsmwatch-teams-url","az":"read -rs VALUE; printf %s \"$VALUE\" | az keyvault secret set \u003c/dev/stdin \u0026\u0026 echo \u003e x","powershell":"Set-AzKeyVaultSecret"},{"what":"see whether all is well","az":"","powershell":""}]"#;

#[test]
fn steps_are_laid_out_by_who_does_them() {
    let said = provisioned(PRIVILEGED, NEXT);
    let expected = r#"
hsmwatch: the resources of hsmwatch-abc are there (resource group rg-watch).

To be done by those who hold the rights for it; until then nothing is watched:

  1. Owner of ws-logs in the group rg-logs: let the app read the audit tables
       az role assignment create --condition '(@Resource[x:name] StringEquals '\''T'\'')' --output none

To be done by you:

  1. set the secret hsmwatch-teams-url
       read -rs VALUE; printf %s "$VALUE" | az keyvault secret set </dev/stdin && echo > x
  2. see whether all is well

Shown again by: azd hooks run postprovision

"#;
    assert_eq!(said, expected);
}

#[test]
fn nothing_left_is_nothing_said() {
    for (privileged, next) in [("[]", "[]"), ("", "")] {
        let said = provisioned(privileged, next);
        assert!(!said.contains("To be done"), "{said}");
    }
}

#[test]
fn other_shapes_of_outputs_are_shown_too() {
    let said = provisioned("Ask the owner.\nThen wait.", r#"["one\ntwo", "thr\u0065e \\ ☃"]"#);
    assert!(said.contains("\n  Ask the owner.\n  Then wait.\n"), "{said}");
    assert!(said.contains("\n  1. one\n     two\n  2. three \\ ☃\n"), "{said}");
    let said = provisioned("[]", r#"[ {"what" : "w", "note": "n: [x]", "commands": ["a", "b"]} ]"#);
    assert!(said.contains("\n  1. w\n     note:\n       n: [x]\n       a\n       b\n"), "{said}");
}

#[test]
fn a_step_cannot_turn_the_terminal_around() {
    let escaped = r#"["red \u001b[31m \u007f bell \u0007 end", {"what":"\u001b]0;x"}]"#;
    let said = provisioned("raw \u{1b}[31m \u{7f} end", escaped);
    assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{said:?}");
    assert!(said.contains("red [31m  bell  end") && said.contains("raw [31m  end"), "{said}");
    let said = provisioned("[]", "[\"raw \u{1b}[31m \u{7f} end\"]");
    assert!(said.contains("raw [31m  end"), "{said:?}");
}

#[test]
fn after_a_deployment_it_says_how_to_look() {
    let mut sandbox = Sandbox::new();
    sandbox.set("AZURE_FUNCTION_NAME", "hsmwatch-abc").set("AZURE_RESOURCE_GROUP", "rg-watch");
    let said = sandbox.run("after-deploy.sh", &[]).well();
    assert!(said.contains("\n  hsmwatch doctor --app hsmwatch-abc\n"), "{said}");
    assert!(said.contains("--resource-group rg-watch --name hsmwatch-abc"), "{said}");
    assert!(said.contains("https://hsmwatch-abc.azurewebsites.net/api/status"), "{said}");
}

/// What `az resource list` answers.
const WATCHER: &str = "Microsoft.Storage/storageAccounts\thsmwatchfnabc\n\
    Microsoft.Web/sites\thsmwatch-abc\n\
    Microsoft.OperationalInsights/workspaces\thsmwatch-telemetry\n\
    Microsoft.KeyVault/vaults\tkvhsmwatchabc";

fn down(resources: &str) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.set("AZURE_RESOURCE_GROUP", "rg-watch").set("AZURE_SUBSCRIPTION_ID", "sub");
    sandbox.fake(
        "az",
        &format!(
            "[ \"$1 $2 $3 $4 $5 $6\" = 'resource list --resource-group rg-watch --subscription sub' ] || exit 3\n\
             cat <<'END'\n{resources}\nEND"
        ),
    );
    sandbox
}

#[test]
fn a_group_with_the_watcher_alone_may_go() {
    for resources in [WATCHER, ""] {
        let said = down(resources).run("before-down.sh", &[]).well();
        assert!(said.contains("what stays behind when rg-watch is gone"), "{said}");
    }
    let said = Sandbox::new().run("before-down.sh", &[]).well();
    assert!(said.contains("nothing was provisioned"), "{said}");
}

#[test]
fn a_group_with_evidence_in_it_does_not_go() {
    for (more, name) in [
        ("Microsoft.HardwareSecurityModules/cloudHsmClusters\thsm-prod", "hsm-prod"),
        ("microsoft.hardwaresecuritymodules/cloudhsmclusters\thsm-prod\r", "hsm-prod"),
        ("Microsoft.KeyVault/managedHSMs\tmhsm", "mhsm"),
        ("Microsoft.OperationalInsights/workspaces\thsm-logs", "hsm-logs"),
        ("Microsoft.Storage/storageAccounts\thsmlogabc", "hsmlogabc"),
    ] {
        let said = down(&format!("{WATCHER}\n{more}")).run("before-down.sh", &[]).refused(&[
            "what must outlive the watcher",
            name,
            "HSMWATCH_DOWN=rg-watch azd down",
        ]);
        assert!(!said.contains("hsmwatch-telemetry") && !said.contains("kvhsmwatchabc"), "{said}");
    }
}

#[test]
fn a_group_that_cannot_be_looked_into_does_not_go_unless_it_is_named() {
    let mut sandbox = Sandbox::new();
    sandbox.set("AZURE_RESOURCE_GROUP", "rg-watch");
    let cure = "HSMWATCH_DOWN=rg-watch azd down";
    sandbox.run("before-down.sh", &[]).refused(&["without the Azure CLI", cure]);
    sandbox.fake("az", "exit 1");
    sandbox.run("before-down.sh", &[]).refused(&["cannot be listed (az login?)", cure]);
    sandbox.set("HSMWATCH_DOWN", "rg-other");
    sandbox.run("before-down.sh", &[]).refused(&[cure]);
    sandbox.set("HSMWATCH_DOWN", "rg-watch");
    let said = sandbox.run("before-down.sh", &[]).well();
    assert!(said.contains("HSMWATCH_DOWN names rg-watch"), "{said}");
}

const CHANGES: &str = "# Changelog\n\n## Unreleased\n\n- Not yet.\n\n## [9.8.7] – 2026-12-01\n\n\
    ### Added\n\n- This.\n\n## 9.8.70\n\n- Other.\n\n## 0.9.8.7\n\n- None.\n";

#[test]
fn a_release_says_its_own_changes() {
    let sandbox = Sandbox::new();
    sandbox.write("CHANGELOG.md", CHANGES);
    assert_eq!(sandbox.run("release-notes.sh", &["v9.8.7"]).well(), "### Added\n\n- This.\n");
    sandbox.write("CHANGELOG.md", "## 9.8.7\n- That.\n");
    assert_eq!(sandbox.run("release-notes.sh", &["v9.8.7"]).well(), "- That.\n");
}

#[test]
fn a_tag_that_fits_nothing_makes_no_release() {
    let sandbox = Sandbox::new();
    sandbox.write("CHANGELOG.md", CHANGES);
    let refused = |arguments: &[&str], words: &[&str]| {
        sandbox.run("release-notes.sh", arguments).refused(words);
    };
    refused(&["v9.8.6"], &["the tag is v9.8.6, and the version in Cargo.toml is 9.8.7"]);
    refused(&["9.8.7"], &["name the tag"]);
    refused(&[], &["name the tag"]);
    for changes in
        ["## Unreleased\n\n- This.\n", "## 9.8.7\n\n## 9.8.6\n\n- Old.\n", "## 9x8.7\n- No.\n"]
    {
        sandbox.write("CHANGELOG.md", changes);
        refused(&["v9.8.7"], &["CHANGELOG.md has no changes under `## 9.8.7`"]);
    }
}
