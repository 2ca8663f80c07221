//! Every bound of the product, once, with its unit in its name.
//!
//! Owns numbers only. A bound that a client, the Engine or a file can reach is here; what happens when it is reached
//! is said where it is enforced. Sources: spec 60 §2, §3.8, 70 §3.1, 50 C5.

use std::time::Duration;

/// Longest request or response head: request line and header lines together (spec 60 §2, with the 4 KiB slack).
pub const HEAD_MAX_BYTES: usize = (1 << 20) + 4096;
/// Most header lines in one head. A head with more is refused as too large.
pub const HEAD_MAX_FIELDS: usize = 32_768;
/// From the first byte of a head (from accept for the first one) to its end; then the connection closes silently.
pub const HEAD_READ_TIMEOUT: Duration = Duration::from_secs(5);
/// A client connection without a request in flight is closed after this.
pub const KEEP_ALIVE_IDLE_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest chunk-size line, extensions included.
pub const CHUNK_LINE_MAX_BYTES: usize = 4096;
/// Trailer section of a chunked body.
pub const TRAILERS_MAX_BYTES: usize = 64 << 10;
/// An unread request body shorter than this is drained after an early answer; a longer one closes the connection.
pub const UNREAD_BODY_DRAIN_MAX_BYTES: u64 = 256 << 10;
/// How long a half-closed connection lingers so that the client can read the answer.
pub const CLOSE_LINGER: Duration = Duration::from_millis(500);
/// Response-header timeout on quick reads and on the proxy's own lookups (spec 60 §3.8).
pub const QUICK_READ_HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an Engine takes nothing, neither a connection nor more of an upload, before the client is watched, who may leave.
pub const STUCK_UPLOAD_TIMEOUT: Duration = Duration::from_secs(1);
/// Dial timeout of a hijacked request and of the start-up check.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle Engine connections kept per process, divided among the shards.
pub const POOL_MAX_IDLE_CONNECTIONS: usize = 100;
/// An idle Engine connection is closed after this.
pub const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Health check: connect timeout, and how long its outcome is believed.
pub const HEALTH_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A successful check is believed for this long.
pub const HEALTH_SUCCESS_TTL: Duration = Duration::from_secs(2);
/// A failed check is believed for this long.
pub const HEALTH_FAILURE_TTL: Duration = Duration::from_millis(100);
/// Graceful drain after SIGTERM or SIGINT.
pub const DRAIN_BUDGET: Duration = Duration::from_secs(30);
/// Largest answer that the response filter reads (spec 50 C5).
pub const FILTERED_RESPONSE_MAX_BYTES: usize = 8 << 20;
/// Largest configuration file.
pub const CONFIG_MAX_BYTES: u64 = 1 << 20;
/// Longest client value (path, request id) written to a log record; the rest is cut.
pub const LOGGED_VALUE_MAX_BYTES: usize = 8 << 10;
/// Most parameters in one query. Newer Engines read none at all from 10 000 up, older ones read all; the proxy reads and
/// forwards none.
pub const QUERY_MAX_PAIRS: usize = 9_999;
/// Longest decoded value of the `filters` parameter (spec 50 A3).
pub const FILTERS_MAX_BYTES: usize = 64 << 10;
/// Most values (keys, elements and scalars) in a configuration, aliases expanded.
pub const CONFIG_MAX_VALUES: usize = 200_000;
/// Most brackets open at one place of a configuration file; the parser takes quadratic time in them.
pub const CONFIG_MAX_OPEN_BRACKETS: usize = 1_000;
/// Most shards that can be asked for.
pub const SHARDS_MAX: usize = 1_024;
/// How long a connection waits for the audit writer before it takes its next request all the same.
pub const AUDIT_WAIT: Duration = Duration::from_secs(5);
/// Records that one shard encodes before it hands them to a log writer, even within one turn.
pub const LOG_BATCH_BYTES: usize = 32 << 10;
/// Batches that wait for one log writer.
pub const LOG_QUEUE_MAX_BATCHES: usize = 1024;
/// Batches that end the rest of a log writer early.
pub const LOG_QUEUE_URGENT_BATCHES: usize = 256;
/// Bytes that end the rest of a log writer early.
pub const LOG_QUEUE_URGENT_BYTES: usize = 2 << 20;
/// Bytes that wait for one log writer; one batch is always accepted.
pub const LOG_QUEUE_MAX_BYTES: usize = 8 << 20;
/// Empty buffers that a log writer keeps for reuse: as many as can be on their way in ordinary operation.
pub const LOG_SPARE_BUFFERS: usize = 512;
/// How many of them may be larger than [`LOG_SPARE_SMALL_BYTES`].
pub const LOG_SPARE_LARGE_BUFFERS: usize = 64;
/// Capacity up to which a spare buffer counts as small.
pub const LOG_SPARE_SMALL_BYTES: usize = 4 << 10;
/// Write buffer of a log file.
pub const LOG_FILE_BUFFER_BYTES: usize = 64 << 10;
/// Longest time that a record stays in the write buffer of a log file.
pub const LOG_FILE_FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// Pause of a log writer after a write. Batches that arrive meanwhile wake nobody, until they are urgent.
pub const LOG_WRITER_REST: Duration = Duration::from_millis(2);
/// How long the log writers may take to write what is left when the process ends.
pub const LOG_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Shortest time between two warnings about lost records of one kind.
pub const LOG_LOSS_WARNING_INTERVAL: Duration = Duration::from_secs(60);
/// Audit events that a shard holds back while the queue is full, before its connections wait.
pub const AUDIT_BACKLOG_SOFT_BYTES: usize = 1 << 20;
/// Audit events that a shard holds back at all; further ones are lost, and counted.
pub const AUDIT_BACKLOG_MAX_BYTES: usize = 8 << 20;
/// Combinations of request labels that one shard counts separately; further ones share a series.
pub const METRIC_SERIES_MAX: usize = 16_384;
/// Deepest nesting of arrays and objects in a JSON document that we read, ours or the Engine's (the Engine itself
/// stops at 10 000; spec 30 §0.3 allows a lower cap).
pub const JSON_MAX_DEPTH: usize = 128;
/// An answer that is read whole and is no longer than this is read into the buffers of its exchange.
pub const SHORT_ANSWER_MAX_BYTES: usize = 32 << 10;
/// Memory of longer ones on one shard, from their first byte until their clients have taken them; the next ones wait.
pub const LONG_ANSWERS_MAX_BYTES: usize = 64 << 20;
/// Such answers that one shard receives at once.
pub const LONG_ANSWERS_AT_ONCE: usize = 4;
/// How long a client may take over such an answer when others wait for the memory that it is in.
pub const LONG_ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// What a buffer for such answers keeps of its memory between two of them.
pub const LONG_ANSWER_KEPT_BYTES: usize = 2 << 20;
/// A shorter range of such an answer is cheaper to copy than to send from where it lies.
pub const SENT_IN_PLACE_MIN_BYTES: usize = 2 << 10;
/// Longest answer to one of the proxy's own questions (spec 30 §2).
pub const LOOKUP_ANSWER_MAX_BYTES: usize = 8 << 20;
/// Whole time in which an inspected body that is held in memory has to arrive (spec 60 §2).
pub const INSPECTED_BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest silence of a client that sends an archive to be inspected.
pub const SPOOL_SILENCE_TIMEOUT: Duration = Duration::from_secs(30);
/// Whole time in which such an archive has to arrive.
pub const SPOOL_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// Archives that one shard spools and inspects at once; further uploads wait.
pub const SPOOLS_AT_ONCE: usize = 8;
/// The memory for reading a JSON document is kept for the next one unless the document was longer than this.
pub const JSON_KEPT_DOCUMENT_BYTES: usize = 64 << 10;
/// Longest JSON body that is inspected, unless one of the two below applies (spec 30 §0.1).
pub const INSPECTED_BODY_MAX_BYTES: u64 = 1 << 20;
/// Longest body of an exec create request.
pub const EXEC_BODY_MAX_BYTES: u64 = 64 << 10;
/// Longest body of a swarm or node request.
pub const SWARM_BODY_MAX_BYTES: u64 = 256 << 10;
/// Longest archive that is inspected, as sent.
pub const SPOOLED_BODY_MAX_BYTES: u64 = 512 << 20;
/// Most networks of one service that the Engine is asked about (spec 30 §15 gap 16). A service with more is refused.
pub const SERVICE_NETWORK_LOOKUPS_MAX: usize = 64;
/// Largest request body that is read as JSON (spec 30 §0.1); most inspectors stop earlier.
pub const JSON_BODY_MAX_BYTES: usize = 1 << 20;
/// A body larger than this gives its scratch memory back: a shard keeps what usual bodies need and no more.
pub const JSON_SCRATCH_KEPT_BYTES: usize = 256 << 10;
/// Cuts of an edited answer that a shard keeps room for; an answer with more gives its memory back with the next one.
/// A list of a thousand containers has about eight thousand.
pub const CUTS_KEPT: usize = 1 << 16;
/// Longest build context after decompression (spec 30 §7).
pub const BUILD_CONTEXT_MAX_BYTES: u64 = 1 << 30;
/// Longest image archive after decompression (spec 30 §6).
pub const IMAGE_ARCHIVE_MAX_BYTES: u64 = 2 << 30;
/// Longest plugin archive after decompression, the parts of a multipart body taken together (spec 30 §14).
pub const PLUGIN_ARCHIVE_MAX_BYTES: u64 = 4 << 30;
/// Longest Dockerfile that is read (spec 30 §7).
pub const DOCKERFILE_MAX_BYTES: usize = 1 << 20;
/// Longest `manifest.json` or `index.json` of an image archive (spec 30 §6).
pub const IMAGE_MANIFEST_MAX_BYTES: usize = 1 << 20;
/// Longest `config.json` of a plugin (spec 30 §14).
pub const PLUGIN_CONFIG_MAX_BYTES: usize = 64 << 10;
/// Longest extended header of a tar entry: pax records or a GNU long name. The Engine's reader has the same bound.
pub const TAR_EXTENSION_MAX_BYTES: u64 = 1 << 20;
/// Most links in an archive that are remembered, 20 bytes each; an archive with more cannot be inspected.
pub const ARCHIVE_MAX_LINKS: usize = 512 << 10;
/// Header section of one part of a multipart body.
pub const MULTIPART_HEADERS_MAX_BYTES: usize = 64 << 10;
/// Longest boundary of a multipart body (RFC 2046 §5.1.1).
pub const MULTIPART_BOUNDARY_MAX_BYTES: usize = 70;
/// Most options that `Connection` may name in one head.
pub const CONNECTION_OPTIONS_MAX: usize = 64;
/// How long a start waits for an address that the kernel still holds for a process that was killed: its rings, and with
/// them its listeners, are taken down after its end is known.
pub const BIND_PATIENCE: Duration = Duration::from_secs(2);
