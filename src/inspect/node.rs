//! `POST /nodes/X/update`: what may be changed on a node of the cluster (spec 30 §13).
//!
//! Owns the comparison of an update with the node as it is. An update replaces the whole specification, so clients send
//! role, availability and labels every time; what is denied is a change of them. The node is asked for only when its
//! answer can matter.

use std::collections::BTreeMap;

use super::options::NodeOptions;
use super::request::{Answer, Question, Request, Step};
use super::stop::{NOT_INSPECTABLE, Stop, conclude, read, text};
use super::text::is_blank;
use crate::json::fold;
use crate::json::{Field, Object, Reader, StringMap, TypeError, View};

/// Judges an update whose body is not empty. `answers` reads the Engine's answer.
pub fn inspect(request: &Request<'_>, options: &NodeOptions, reader: &mut Reader, answers: &mut Reader) -> Step {
    let judged = read(reader, request.body, |view| {
        let update = Update::of(&view.object()?);
        match request.answers.first() {
            None => update.judge(Node::Unasked, options),
            Some(Answer::Found(answer)) => {
                // An answer that cannot be read is no answer: the verdict by presence stands.
                let judged = answers.read(answer, |view| update.judge(Node::read(view), options));
                judged.unwrap_or_else(|_| update.judge(Node::Unknown, options))
            }
            Some(Answer::NotFound | Answer::Failed) => update.judge(Node::Unknown, options),
        }
    });
    let judged = match judged {
        Ok(Verdict::Allowed) => Ok(()),
        Ok(Verdict::NeedsNode) => return Step::Ask(Question::Node),
        Err(stop) => Err(stop),
    };
    Step::Judged(conclude(judged, "node update", NOT_INSPECTABLE))
}

/// What can be said without a denial.
enum Verdict {
    Allowed,
    /// It depends on the node as it is.
    NeedsNode,
}

/// The node that is to be updated.
enum Node<'n> {
    /// Nobody asked yet.
    Unasked,
    /// The Engine did not say.
    Unknown,
    Known(Spec<'n>),
}

impl<'n> Node<'n> {
    /// Reads `Spec` of the Engine's answer.
    fn read(view: View<'n>) -> Node<'n> {
        let spec = view.object().and_then(|node| node.field("Spec").object());
        match spec.map(|spec| spec.map(|spec| Spec::decode(&spec))) {
            Ok(Some(Ok(spec))) => Node::Known(spec),
            Ok(Some(Err(_)) | None) | Err(_) => Node::Unknown,
        }
    }
}

/// The specification that a node has.
struct Spec<'n> {
    role: &'n str,
    availability: &'n str,
    name: &'n str,
    labels: StringMap<'n>,
}

impl<'n> Spec<'n> {
    fn decode(spec: &Object<'n>) -> Result<Spec<'n>, TypeError> {
        let [role, availability, name, labels] = spec.fields(["Role", "Availability", "Name", "Labels"]);
        Ok(Spec {
            role: text(role)?,
            availability: text(availability)?,
            name: text(name)?,
            labels: labels.string_map()?,
        })
    }
}

/// The fields of an update, each decoded when it is reached.
struct Update<'d> {
    role: Field<'d>,
    availability: Field<'d>,
    name: Field<'d>,
    labels: Field<'d>,
    /// Whether labels are given, be it as `null`: then the update is meant to set them.
    has_labels: bool,
}

impl<'d> Update<'d> {
    fn of(update: &Object<'d>) -> Update<'d> {
        let [role, availability, name, labels] = update.fields(["Role", "Availability", "Name", "Labels"]);
        let has_labels = update.keys().any(|key| fold::names(key, "Labels"));
        Update { role, availability, name, labels, has_labels }
    }

    fn judge(&self, node: Node<'_>, options: &NodeOptions) -> Result<Verdict, Stop> {
        let known = match &node {
            Node::Known(spec) => Some(spec),
            Node::Unasked | Node::Unknown => None,
        };
        let is_unasked = matches!(node, Node::Unasked);
        for (field, current, is_allowed, reason) in [
            (self.role, known.map(|spec| spec.role), options.allow_role_change, "role changes are not allowed"),
            (
                self.availability,
                known.map(|spec| spec.availability),
                options.allow_availability_change,
                "availability changes are not allowed",
            ),
            (self.name, known.map(|spec| spec.name), options.allow_name_change, "name changes are not allowed"),
        ] {
            let asked = text(field)?;
            if is_allowed || is_blank(asked) || current == Some(asked) {
                continue;
            }
            if is_unasked {
                return Ok(Verdict::NeedsNode);
            }
            return Err(Stop::Denied(reason.into()));
        }
        self.judge_labels(known, is_unasked, options)
    }

    fn judge_labels(&self, known: Option<&Spec<'_>>, is_unasked: bool, options: &NodeOptions) -> Result<Verdict, Stop> {
        let labels = self.labels.string_map()?;
        if options.allow_label_mutation {
            return Ok(Verdict::Allowed);
        }
        // Even labels that may all be set are not enough to know: they replace the others, which may have to stay.
        if is_unasked {
            return Ok(Verdict::NeedsNode);
        }
        let is_allowed = match known {
            // Without labels the Engine removes every label of the node.
            Some(spec) => are_changes_approved(labels, spec.labels.clone(), options),
            None => !self.has_labels || is_approved(labels, options),
        };
        if is_allowed { Ok(Verdict::Allowed) } else { Err(Stop::Denied("label mutation is not allowed".into())) }
    }
}

/// Whether there are labels, and only such that may be set whatever the node has.
fn is_approved(mut labels: StringMap<'_>, options: &NodeOptions) -> bool {
    !labels.is_empty() && labels.all(|(key, value)| may_set(key, value, options))
}

/// Whether every label that is added, removed or given another value may be. A map, because a client chooses how many
/// labels there are on both sides.
fn are_changes_approved(labels: StringMap<'_>, current: StringMap<'_>, options: &NodeOptions) -> bool {
    let mut removed: BTreeMap<&str, &str> = current.collect();
    for (key, value) in labels {
        if removed.remove(key) != Some(value) && !may_set(key, value, options) {
            return false;
        }
    }
    removed.keys().all(|key| may_remove(key, options))
}

fn may_remove(key: &str, options: &NodeOptions) -> bool {
    key != options.owner_label_key && options.allowed_label_keys.iter().any(|known| known == key)
}

/// Whether a label may be given this value. Emptying the owner's label would free the node of its owner.
fn may_set(key: &str, value: &str, options: &NodeOptions) -> bool {
    if key == options.owner_label_key {
        !value.is_empty()
    } else {
        options.allowed_label_keys.iter().any(|known| known == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::Outcome;

    /// The verdict, `ask` when the node is needed, after `node` was given if there is one.
    fn verdict(body: &str, options: &NodeOptions, node: Option<Answer<'_>>) -> String {
        let answers: Vec<Answer<'_>> = node.into_iter().collect();
        let request = Request { body: body.as_bytes(), answers: &answers, ..Request::default() };
        match inspect(&request, options, &mut Reader::new(), &mut Reader::new()) {
            Step::Ask(question) => {
                assert_eq!(question, Question::Node);
                "ask".to_owned()
            }
            Step::Judged(Outcome::Denied(reason)) => {
                reason.strip_prefix("node update denied: ").expect("a reason with the subject").to_owned()
            }
            Step::Judged(outcome) => format!("{outcome:?}").to_lowercase(),
        }
    }

    const ROLE: &str = "role changes are not allowed";
    const AVAILABILITY: &str = "availability changes are not allowed";
    const NAME: &str = "name changes are not allowed";
    const LABELS: &str = "label mutation is not allowed";
    const UNREADABLE: &str = "request body could not be inspected";

    fn listed(keys: &[&str]) -> NodeOptions {
        NodeOptions { allowed_label_keys: keys.iter().map(|&key| key.to_owned()).collect(), ..NodeOptions::default() }
    }

    #[test]
    fn without_the_node_presence_decides() {
        for (body, expected) in [
            (r#"{"Labels":{"com.sockguard.owner":"t1"}}"#, "pass"),
            ("{}", "pass"),
            ("null", "pass"),
            (r#"{"Role":null}"#, "pass"),
            (r#"{"Role":"","Availability":" ","Name":""}"#, "pass"),
            (r#"{"Labels":{"com.sockguard.owner":""}}"#, LABELS),
            (r#"{"Labels":{"x":"1"}}"#, LABELS),
            (r#"{"Labels":{}}"#, LABELS),
            (r#"{"Labels":null}"#, LABELS),
            (r#"{"Labels":{"com.sockguard.owner":"t1","x":"1"}}"#, LABELS),
            (r#"{"Role":"manager"}"#, ROLE),
            (r#"{"ROLE":"manager","Availability":"drain"}"#, ROLE),
            (r#"{"Availability":"drain","Name":"n"}"#, AVAILABILITY),
            (r#"{"Name":"n","Labels":{}}"#, NAME),
            (r#"{"Role":"manager","Labels":[]}"#, ROLE),
            (r#"{"Role":42}"#, UNREADABLE),
            (r#"{"Labels":[]}"#, UNREADABLE),
            (r#"{"Labels":{"a":1}}"#, UNREADABLE),
            ("[1]", UNREADABLE),
            ("{", UNREADABLE),
        ] {
            for unknown in [
                Answer::NotFound,
                Answer::Failed,
                Answer::Found(b"<html>"),
                Answer::Found(b"{}"),
                Answer::Found(br#"{"Spec":null}"#),
                Answer::Found(br#"{"Spec":{"Role":1}}"#),
            ] {
                assert_eq!(verdict(body, &NodeOptions::default(), Some(unknown)), expected, "{body} {unknown:?}");
            }
        }
    }

    #[test]
    fn listed_labels_may_be_set() {
        let options = listed(&["zone", "rack"]);
        for (body, expected) in [
            (r#"{"Labels":{"zone":"a","rack":"1"}}"#, "pass"),
            (r#"{"Labels":{"com.sockguard.owner":"t1","zone":"a"}}"#, "pass"),
            (r#"{"Labels":{"zone":"a","x":"1"}}"#, LABELS),
            (r#"{"Labels":{"Zone":"a"}}"#, LABELS),
            (r#"{"Labels":{}}"#, LABELS),
            (r#"{"Labels":{"zone":"a","com.sockguard.owner":""}}"#, LABELS),
            (r#"{"Role":"worker","Labels":{"zone":"a"}}"#, ROLE),
        ] {
            assert_eq!(verdict(body, &options, Some(Answer::NotFound)), expected, "{body}");
        }
        let owner = NodeOptions { owner_label_key: "owner".to_owned(), ..NodeOptions::default() };
        assert_eq!(verdict(r#"{"Labels":{"owner":"t1"}}"#, &owner, Some(Answer::NotFound)), "pass");
        assert_eq!(verdict(r#"{"Labels":{"com.sockguard.owner":"t1"}}"#, &owner, Some(Answer::NotFound)), LABELS);
    }

    #[test]
    fn the_node_is_asked_for_only_when_it_matters() {
        let everything = NodeOptions {
            allow_name_change: true,
            allow_role_change: true,
            allow_availability_change: true,
            allow_label_mutation: true,
            ..NodeOptions::default()
        };
        let labels = NodeOptions { allow_label_mutation: true, ..NodeOptions::default() };
        let role = NodeOptions { allow_role_change: true, ..NodeOptions::default() };
        for (body, options, expected) in [
            (r#"{"Name":"n","Role":"manager","Availability":"drain","Labels":{"x":"1"}}"#, &everything, "pass"),
            (r#"{"Role":"manager"}"#, &everything, "pass"),
            (r#"{"Labels":{"rack":"2"}}"#, &labels, "pass"),
            (r#"{"Labels":{"com.sockguard.owner":"t1"}}"#, &role, "ask"),
            (r#"{"Role":"worker"}"#, &labels, "ask"),
            (r#"{"Labels":{"x":"1"}}"#, &role, "ask"),
            (r#"{"Role":"manager"}"#, &role, "ask"),
            ("{}", &role, "ask"),
            (r#"{"Role":1}"#, &labels, UNREADABLE),
        ] {
            assert_eq!(verdict(body, options, None), expected, "{body}");
        }
    }

    #[test]
    fn with_the_node_changes_decide() {
        let manager = r#"{"ID":"n1","Version":{"Index":7},"Spec":{"Role":"manager","Availability":"active","Labels":{"zone":"a"}}}"#;
        let labels = NodeOptions { allow_label_mutation: true, ..NodeOptions::default() };
        for (body, expected) in [
            (r#"{"Role":"manager","Availability":"active","Labels":{"zone":"a","rack":"2"}}"#, "pass"),
            (r#"{"Role":"manager","Availability":"active","Labels":{}}"#, "pass"),
            (r#"{"Name":"","Role":"manager","Availability":"active","Labels":{"zone":"a"}}"#, "pass"),
            (r#"{"Role":"worker","Availability":"active"}"#, ROLE),
            (r#"{"Role":"Manager","Availability":"active"}"#, ROLE),
            (r#"{"Role":"manager","Availability":"drain"}"#, AVAILABILITY),
            (r#"{"Role":"manager","Availability":"active","Name":"other"}"#, NAME),
            (r#"{"Role":"manager","Availability":[]}"#, UNREADABLE),
        ] {
            assert_eq!(verdict(body, &labels, Some(Answer::Found(manager.as_bytes()))), expected, "{body}");
        }
    }

    #[test]
    fn with_the_node_changed_labels_decide() {
        let node = r#"{"spec":{"Role":"worker","Labels":{"zone":"a","com.sockguard.owner":"t1"}}}"#;
        let options = listed(&["rack"]);
        for (body, expected) in [
            (r#"{"Labels":{"zone":"a","com.sockguard.owner":"t1","rack":"2"}}"#, "pass"),
            (r#"{"Role":"worker","Labels":{"zone":"a","com.sockguard.owner":"t1"}}"#, "pass"),
            (r#"{"Labels":{"zone":"a","com.sockguard.owner":"t2"}}"#, "pass"),
            (r#"{"Labels":{"zone":"b","com.sockguard.owner":"t1"}}"#, LABELS),
            (r#"{"Labels":{"com.sockguard.owner":"t1","x":"1"}}"#, LABELS),
            (r#"{"Labels":{"zone":"a","com.sockguard.owner":"t1","x":"1"}}"#, LABELS),
            (r#"{"Labels":{"zone":"a"}}"#, LABELS),
            (r#"{"Labels":{"com.sockguard.owner":"t1"}}"#, LABELS),
            (r#"{"Labels":{"com.sockguard.owner":"t1","rack":"2"}}"#, LABELS),
            (r#"{"Labels":{"zone":"a","com.sockguard.owner":""}}"#, LABELS),
            (r#"{"Labels":null}"#, LABELS),
            ("{}", LABELS),
        ] {
            assert_eq!(verdict(body, &options, Some(Answer::Found(node.as_bytes()))), expected, "{body}");
        }
    }

    #[test]
    fn absent_labels_remove_all_of_them() {
        let options = listed(&["rack"]);
        for (labels, expected) in [
            ("{}", "pass"),
            ("null", "pass"),
            (r#"{"rack":"1"}"#, "pass"),
            (r#"{"zone":"a"}"#, LABELS),
            (r#"{"com.sockguard.owner":"t1"}"#, LABELS),
        ] {
            let node = format!(r#"{{"Spec":{{"Labels":{labels}}}}}"#);
            assert_eq!(verdict("{}", &options, Some(Answer::Found(node.as_bytes()))), expected, "{labels}");
        }
        assert_eq!(verdict("{}", &options, Some(Answer::Found(br#"{"Spec":{}}"#))), "pass");
    }
}
