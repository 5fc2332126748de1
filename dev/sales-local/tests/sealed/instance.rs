//! Both regions, and the commands that use them.

use reqwest::StatusCode;
use sales_testbed::{
    emulator::READERS,
    local_ports::LocalPorts,
    openmetrics::counter,
    resources::REGIONS,
    testing::{LocalInstance, client, eventually},
};
use serde_json::Value;

use crate::settings::hostile;

#[tokio::test]
async fn sales_reach_the_lake_and_the_operator_sees_all_of_it_whatever_the_developer_has_set() {
    let home = tempfile::tempdir().unwrap();
    let ports = LocalPorts::free().unwrap();
    let mut instance = LocalInstance::start_with(ports, hostile(home.path())).await.unwrap();
    let answer = client()
        .post(format!("{}/sales", instance.url()))
        .body(r#"{"product":"O Pequeno Principe", "amount": 14.00}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED, "{}", answer.text().await.unwrap());
    let id = answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
    eventually("it is in the lake of both regions", async || {
        let listed = instance.local(&["lake"]).await.unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        (listed.matches(&format!(r#""id":"{id}""#)).count() == 2).then_some(())
    })
    .await;

    // The developer's own account is set by variables here; the printed commands override it.
    let status = instance.shell("salesctl status -o json").await.unwrap();
    assert_eq!(status.status.code(), Some(0), "{status:?}");
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    for region in status["regions"].as_array().unwrap() {
        for service in ["api", "worker"] {
            assert_eq!(region[service]["ready"], true, "{region}");
        }
        assert!(region["state"]["value"].is_string() && region["traffic"]["dial_percent"].is_number(), "{region}");
    }
    assert_eq!(status["findings"], serde_json::json!([]), "{status}");

    instance.share(&READERS).await.unwrap();
    for lake in ports.lakes {
        let rows = async || counter(&client(), &format!("http://localhost:{lake}"), "lake_rows").await.ok()?;
        eventually("it is a row of both tables", async || rows().await.filter(|rows| *rows == 1)).await;
    }
    let asked = instance.local(&["sql", "select * from sales", "--json", "--region", REGIONS[1]]).await.unwrap();
    let rows: Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!((rows[0]["id"].as_str(), rows[0]["amount"].as_str()), (Some(id.as_str()), Some("14")), "{rows}");
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    let overview = instance.local(&["sql", "--csv"]).await.unwrap();
    let overview = String::from_utf8(overview.stdout).unwrap();
    assert!(
        overview.starts_with("hour,region,sales,amount\n") && overview.ends_with(",sa-east-1,1,14\n"),
        "{overview}"
    );
    let wrong = instance.local(&["sql", "select nothing"]).await.unwrap();
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    instance.stop().await;
}
