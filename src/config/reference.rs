//! x
/// x
pub fn json_schema() -> serde_json::Value {
    serde_json::Value::Null
}
/// x
pub fn markdown() -> String {
    String::new()
}
