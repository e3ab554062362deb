//! The README tells the truth: what it asks is answered as it says, by the demo organisation.

use std::path::Path;

use serde_json::{Value, json};
use spil_tests::{Spil, run};

/// The code blocks of a language, each with the block after it.
fn pairs(text: &str) -> Vec<(String, Value)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, block)), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
        .windows(2)
        .filter(|pair| pair[0].0 == "graphql")
        .map(|pair| {
            assert_eq!(pair[1].0, "json", "an answer follows each query");
            (pair[0].1.clone(), serde_json::from_str(&pair[1].1).expect("JSON"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_is_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = std::fs::read_to_string(root.join("README.md")).expect("the README");
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    let filled =
        run(["demo", "--seed-only", "--data", &data, "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"]).await;
    assert!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
    let spil = Spil::builder(folder.path()).start().await;
    let client = spil.client();
    let pairs = pairs(&readme);
    assert!(pairs.len() >= 3);
    for (query, answer) in pairs {
        assert_eq!(client.ask(&query, json!({})).await, answer, "{query}");
    }
    for code in spil_gateway::graphql::error::Code::ALL {
        assert!(readme.contains(&format!("| `{}` |", code.name())), "{} is explained", code.name());
    }
    let limits = spil_gateway::graphql::limits::Limits::default();
    let number = |number: usize| {
        let digits = number.to_string();
        if number < 1000 { digits } else { format!("{},{}", &digits[..digits.len() - 3], &digits[digits.len() - 3..]) }
    };
    for bound in [
        format!("{} tokens", number(limits.tokens)),
        format!("{} fields", number(limits.fields)),
        format!("{} mutations", limits.mutations),
        format!("{} levels", limits.depth),
    ] {
        assert!(readme.contains(&bound), "{bound}");
    }
    import(&readme, folder.path(), &spil).await;
}

/// Runs the import of the README as it stands there.
async fn import(readme: &str, data: &Path, spil: &Spil) {
    let (_, rest) = readme.split_once("```sh\ncat > teams.csv").expect("the import");
    let (shell, _) = rest.split_once("```").expect("its end");
    let binary = spil_tests::spil().parent().expect("a folder");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let output = tokio::process::Command::new("bash")
        .args(["-euo", "pipefail", "-c", &format!("cat > teams.csv{shell}")])
        .current_dir(data)
        .env("PATH", path)
        .env("SPIL_DATA", data)
        .env("SPIL_SERVER", spil.grpc.clone().expect("owners"))
        .output()
        .await
        .expect("a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(told.matches("OrgUnit          2          0          0          0          0").count(), 2, "{told}");
}
