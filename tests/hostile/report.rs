//! Reports on what policies, directory and log come to.

use serde_json::json;

use crate::house::House;
use crate::target::Target;

/// All of them.
pub fn targets(house: &House) -> Vec<Target> {
    let office = std::slice::from_ref(&house.office);
    vec![
        Target::new("GET", "/audit/v1/reports/segments", 200)
            .with(office)
            .at(&["/audit/v1/reports/segments?since=90d&compare=71"]),
        Target::new("POST", "/audit/v1/reports/segments", 200).with(office).reading([json!({})]),
        Target::new("GET", "/audit/v1/reports/blast-radius", 200)
            .with(office)
            .at(&["/audit/v1/reports/blast-radius?principal=User::%22dave%22&hops=2"]),
        Target::new("POST", "/audit/v1/reports/blast-radius", 200)
            .with(office)
            .at(&["/audit/v1/reports/blast-radius?principal=User::%22dave%22"])
            .reading([json!({})]),
        Target::new("GET", "/audit/v1/reports/least-privilege", 200).with(office).at(&[
            "/audit/v1/reports/least-privilege?since=1h",
            "/audit/v1/reports/least-privilege?since=2036-11-22T12:00:00Z&at=71",
        ]),
    ]
}
