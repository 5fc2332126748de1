//! SNS's responses, in its query protocol: forms in, XML out.

use super::answer::{Answer, NotUnderstood, XML};

/// The id of every message.
const MESSAGE_ID: &str = "0192f5c0-7c1d-7a3e-8f11-0123456789ab";

/// One message was published; returns the number of its events.
pub(super) fn published(body: &[u8]) -> Result<(u64, Answer), NotUnderstood> {
    let form = std::str::from_utf8(body).map_err(|error| NotUnderstood(error.to_string()))?;
    // The form is not decoded: a quote within a text is `%5C%22`.
    let events = form.matches("%22specversion%22").count().max(1) as u64;
    let result = format!("<PublishResult><MessageId>{MESSAGE_ID}</MessageId></PublishResult>");
    Ok((events, Answer::ok(XML, format!("<PublishResponse {NAMESPACE}>{result}{METADATA}</PublishResponse>"))))
}

/// All entries of a batch were published; returns their number.
pub(super) fn batch(body: &[u8]) -> Result<(u64, Answer), NotUnderstood> {
    let form = std::str::from_utf8(body).map_err(|error| NotUnderstood(error.to_string()))?;
    let mut done = format!("<PublishBatchResponse {NAMESPACE}><PublishBatchResult><Failed/><Successful>");
    let mut count = 0;
    for id in ids(form) {
        count += 1;
        done.extend(["<member><Id>", id, "</Id><MessageId>", MESSAGE_ID, "</MessageId></member>"]);
    }
    done.extend(["</Successful></PublishBatchResult>", METADATA, "</PublishBatchResponse>"]);
    Ok((count, Answer::ok(XML, done)))
}

const NAMESPACE: &str = r#"xmlns="http://sns.amazonaws.com/doc/2010-03-31/""#;

const METADATA: &str =
    "<ResponseMetadata><RequestId>0192f5c0-7c1d-7a3e-8f11-0123456789ab</RequestId></ResponseMetadata>";

/// The ids of a batch's entries. The form is not decoded: `=` and `&` are always encoded in values, and ids contain
/// neither.
fn ids(form: &str) -> impl Iterator<Item = &str> {
    let named = form.match_indices('=').filter(|(place, _)| form[..*place].ends_with(".Id"));
    named.map(|(place, _)| form[place + 1..].split('&').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "Action=PublishBatch&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns\
        &PublishBatchRequestEntries.member.1.Id=0\
        &PublishBatchRequestEntries.member.1.Message=%7B%22a.Id%22%3D1%7D\
        &PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Name=ce-id\
        &PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Value.DataType=String\
        &PublishBatchRequestEntries.member.2.Message=b\
        &PublishBatchRequestEntries.member.2.Id=x-1";

    #[test]
    fn the_ids_of_a_batch_are_found_without_decoding_it() {
        assert_eq!(ids(FORM).collect::<Vec<_>>(), ["0", "x-1"]);
        assert_eq!(ids("Action=PublishBatch").count(), 0);
    }

    #[test]
    fn every_entry_of_a_batch_is_published_under_its_own_id() {
        let (count, answer) = batch(FORM.as_bytes()).unwrap();
        assert_eq!(count, 2);
        assert!(answer.text().contains("<member><Id>x-1</Id><MessageId>"));
        assert_eq!(answer.text().matches("<member>").count(), 2);
    }
}
