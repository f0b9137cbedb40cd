//! Reading bodies up to a size limit.

use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};

use crate::{bounds, error::causes};

/// Why a body could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum UnreadBody {
    #[error("the answer broke off: {0}")]
    BrokeOff(String),
    /// It goes on beyond the limit.
    #[error("the answer has more than {0}")]
    TooLarge(String),
}

/// A whole body of `limit` bytes at most.
pub async fn read(body: SdkBody, limit: usize) -> Result<Vec<u8>, UnreadBody> {
    let mut stream = ByteStream::new(body);
    let mut whole = Vec::new();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|error| UnreadBody::BrokeOff(causes(&error)))?;
        if whole.len() + part.len() > limit {
            return Err(UnreadBody::TooLarge(bounds::size(limit)));
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole)
}
