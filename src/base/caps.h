/*
 * Every limit of the library, by name, with its unit and its reason. Nothing grows without one of
 * these (or a cap that the user gave). A debug build makes some of them tiny, so that the paths
 * behind them run in every test.
 */
#ifndef BIDE_BASE_CAPS_H
#define BIDE_BASE_CAPS_H

#include "base/assert.h"

/* Tasks */

/* bytes of address space per task: deep enough for libpq and a JSON parser; untouched pages cost
 * nothing */
#define BIDE_CAP_STACK_SLOT_BYTES 262144
/* bytes of guard below each stack: more than any one frame that -Wframe-larger-than lets pass */
#define BIDE_CAP_STACK_GUARD_BYTES 65536
/* bytes of a recycled stack that stay resident: the usual high water of a handler */
#define BIDE_CAP_STACK_KEEP_BYTES 65536
/* bytes of arguments that a spawn copies to the child */
#define BIDE_CAP_SPAWN_ARGS_BYTES 16384

/* Scheduling */

/* awaits that need not suspend, until one yields all the same: fairness against one busy connection
 */
#define BIDE_CAP_OP_BUDGET 128
/* slices between two looks at the I/O backend while tasks are ready */
#define BIDE_CAP_POLL_SLICES 64
/* ms without a new slice, until the loop is reported as blocked: far above a healthy slice, below
 * what users notice */
#define BIDE_CAP_WATCHDOG_MS 50
/* lines of a program of which something was noticed; awaits of a task that a cancel has refused; ms
 * of a wait for a peer without a deadline */
#define BIDE_CAP_FINDINGS 256
#define BIDE_CAP_CANCELS_IGNORED 32
#define BIDE_CAP_UNANSWERED_MS 10000
/* locks that the tasks of a loop hold, and pairs of them in an order, which tests watch */
#define BIDE_CAP_LOCKS_WATCHED 64
#define BIDE_CAP_LOCK_PAIRS 256
/* ms that the cleanups of a cancelled task get to await, before they are cancelled too */
#define BIDE_CAP_CLEANUP_MS 5000
/* ms between the first SIGTERM and the cancel of what still runs: below the 30 s that Kubernetes
 * gives */
#define BIDE_CAP_DRAIN_MS 25000
/* ns that a loop's thread asks for at a time: the smallest slice that the kernel grants, so that
 * threads which compute on the same cores are interrupted at once */
#define BIDE_CAP_LOOP_SLICE_NS 100000
/* ns that a loop looks for mail of others before it sleeps: what a wake-up costs where cores sleep
 * deeply */
#define BIDE_CAP_SPIN_NS 50000
/* values (or places) of a channel between loops that others get before a loop that waits is due */
#define BIDE_CAP_CROSS_PASSED 32
/* threads of the blocking lane */
#define BIDE_CAP_BLOCKING_THREADS 64

/* host names: bytes of one, addresses of one that are tried, names that are kept, threads that ask
   the system at a time, s that what it said is kept, s that it found nothing */
#define BIDE_CAP_NAME_BYTES 254
#define BIDE_CAP_NAME_ADDRESSES 16
#if BIDE_DEBUG
#define BIDE_CAP_NAMES 12
#else
#define BIDE_CAP_NAMES 256
#endif
#define BIDE_CAP_NAME_THREADS 8
#define BIDE_CAP_NAME_TTL_S 30
#define BIDE_CAP_NAME_FAILED_S 1
/* ms after which the next address of a name is tried beside the one before (RFC 8305 section 8) */
#define BIDE_CAP_CONNECT_STAGGER_MS 250

/* I/O */

/* entries of a loop's submission queue (a full one costs a system call) and of its completion
   queue (what does not fit waits in the kernel), and the fewest that are tried */
#if BIDE_DEBUG
#define BIDE_CAP_URING_ENTRIES 4
#define BIDE_CAP_URING_COMPLETIONS 8
#else
#define BIDE_CAP_URING_ENTRIES 256
#define BIDE_CAP_URING_COMPLETIONS 4096
#endif
#define BIDE_CAP_URING_LEAST_ENTRIES 4
/* buffers of a loop that the kernel receives into, and how many of them it begins with: it goes
 * round all that it has, and few stay in the cache; bytes of each: a usual request fits; and how
 * many a connection may hold whose reader is busy, until it is received from only when he asks */
#if BIDE_DEBUG
#define BIDE_CAP_URING_FIRST_BUFFERS 2
#define BIDE_CAP_URING_BUFFERS 8
#define BIDE_CAP_URING_BUFFER_BYTES 64
#define BIDE_CAP_URING_HELD 3
#else
#define BIDE_CAP_URING_FIRST_BUFFERS 128
#define BIDE_CAP_URING_BUFFERS 1024
#define BIDE_CAP_URING_BUFFER_BYTES 2048
#define BIDE_CAP_URING_HELD 16
#endif
/* replies of a loop that wait for its next poll, or for so many, to be sent together; bytes of
 * each: what is longer is sent by a call of its own */
#if BIDE_DEBUG
#define BIDE_CAP_URING_COPIES 2
#define BIDE_CAP_URING_COPY_BYTES 200
#else
#define BIDE_CAP_URING_COPIES 16
#define BIDE_CAP_URING_COPY_BYTES 4096
#endif

/* Errors */

/* bytes of an error's message, NUL included: one line */
#define BIDE_CAP_ERROR_MESSAGE 240
/* errors that a task keeps after it caught them, and further errors that one error keeps */
#define BIDE_CAP_ERRORS_KEPT 32
/* links of a chain of causes */
#define BIDE_CAP_CAUSES 16
/* errors that a loop sets aside for being out of memory */
#define BIDE_CAP_RESERVE_ERRORS 8

/* Memory */

/* bytes of what a task that serves no request keeps to its end, such as rows */
#define BIDE_CAP_TASK_ARENA_BYTES 67108864
/* bytes of an arena's first chunk, header included: a page, so that a small request takes one */
#if BIDE_DEBUG
#define BIDE_CAP_ARENA_FIRST_CHUNK_BYTES 256
#else
#define BIDE_CAP_ARENA_FIRST_CHUNK_BYTES 4096
#endif
/* bytes of an arena's chunk at which doubling stops: below malloc's mmap threshold growth, above
 * any usual request */
#define BIDE_CAP_ARENA_CHUNK_BYTES 262144
/* bytes of a buffer's first storage */
#define BIDE_CAP_BUF_FIRST_BYTES 64

/* Log */

/* bytes of one thread's ring, a power of two: about 500 lines, 10 ms of a very noisy loop */
#define BIDE_CAP_LOG_RING_BYTES 65536
/* bytes of a record's text and pairs; longer ones are cut */
#define BIDE_CAP_LOG_RECORD_BYTES 2048
/* bytes of a written line: escaping makes a byte at most six */
#define BIDE_CAP_LOG_LINE_BYTES 16384
/* bytes that the writer collects before it writes */
#define BIDE_CAP_LOG_BATCH_BYTES 65536
/* bytes of the writer thread's stack: two lines and libc's printf, with room for sanitizers */
#define BIDE_CAP_LOG_STACK_BYTES 524288
/* ms that the writer lingers after work before it sleeps: a producer pays at most one wake per
 * linger */
#define BIDE_CAP_LOG_LINGER_MS 5
/* ms that a failed assertion waits for the log */
#define BIDE_CAP_LOG_ABORT_FLUSH_MS 100
/* ms that the writer waits for a full, non-blocking sink before it drops the batch */
#define BIDE_CAP_LOG_SINK_WAIT_MS 1000

/* Files */

/* bytes of names in one folder: some 100,000 */
#define BIDE_CAP_FOLDER_BYTES 8388608
/* a file's bytes that the loop's own thread may copy at a time: more is for other threads */
#if BIDE_DEBUG
#define BIDE_CAP_FILE_NOW_BYTES 16
#else
#define BIDE_CAP_FILE_NOW_BYTES 65536
#endif

/* Metrics */

/* shards: threads beyond this many share the last one; untouched ones cost nothing */
#define BIDE_CAP_METRIC_SHARDS 128
/* cells of a shard; a counter takes 1, a histogram one per bucket and 2 (BIDE__METRIC_CELLS of
 * metrics.h) */
#define BIDE_CAP_METRIC_CELLS 1024

/* Pools of connections */

/* loops that share a pool: one per worker */
#define BIDE_CAP_POOL_LOOPS 256
/* tasks that wait for a connection, unless options say else: at 1 ms each and 4 connections the
 * last one gets its turn in 4 s */
#define BIDE_CAP_POOL_WAITING 16384
/* ms that a connection given back in use gets to become idle, and that closing one may take */
#define BIDE_CAP_POOL_RESET_MS 2000
/* ms for the peer to answer a ping */
#define BIDE_CAP_POOL_PING_MS 2000
/* ms that a connection above pool_size stays idle: a burst opens it once, not once per use */
#define BIDE_CAP_POOL_OVERFLOW_IDLE_MS 1000
/* ms that a loop keeps an idle one of its share that another loop wants: opening one takes tens */
#define BIDE_CAP_POOL_LEND_MS 100
/* ms until a task for a connection is tried again, for which there was no memory */
#define BIDE_CAP_POOL_RETRY_MS 100
/* ms between two looks at what is idle, at the most */
#define BIDE_CAP_POOL_SWEEP_MS 3600000

/* HTTP */

/* bytes of a request line without its CRLF, or 414: long queries fit */
#define BIDE_CAP_HTTP_REQUEST_LINE_BYTES 8192
/* bytes of a whole head with its last CRLF, or 431: many cookies fit, and offsets into it take 16
 * bits. Also of the trailers of a body */
#define BIDE_CAP_HTTP_HEAD_BYTES 16384
/* header fields of a head, and trailer fields of a body, or 431 */
#define BIDE_CAP_HTTP_HEADERS 100
/* bytes of chunk extensions and superfluous zeros in one body: nobody needs them, attackers do */
#define BIDE_CAP_HTTP_CHUNK_OVERHEAD_BYTES 16384
/* parts of a multipart form */
#define BIDE_CAP_FORM_PARTS 1000
/* bytes of the head of one part: a name, a file name and a media type */
#define BIDE_CAP_FORM_PART_HEAD_BYTES 8192

/* The main function of web programs */

/* workers: threads, each with a loop; more than any usual machine has cores */
#define BIDE_CAP_WORKERS 256
/* descriptors that a server asks the system for: 0.8 of them are connections */
#define BIDE_CAP_MAIN_DESCRIPTORS 65536

/* Models and JSON */

/* objects and arrays inside each other: deeper than any honest body, and the readers recurse */
#define BIDE_CAP_JSON_DEPTH 64
/* keys of one object: far above the 64 fields that a model can have */
#define BIDE_CAP_JSON_KEYS 1000
/* items of a list that says no len(): an item of two bytes may take hundreds in memory */
#define BIDE_CAP_JSON_ITEMS 10000
/* bytes of a number that is read as a double; more digits than any double has */
#define BIDE_CAP_NUMBER_BYTES 800
/* problems that are kept of one input */
#define BIDE_CAP_PROBLEMS 100
/* bytes of an unknown key that a problem shows */
#define BIDE_CAP_PROBLEM_KEY_BYTES 64
/* bytes of a file of settings, and of memory for all that they are */
#define BIDE_CAP_SETTINGS_FILE_BYTES 1048576
#define BIDE_CAP_SETTINGS_BYTES 16777216
/* steps of one pattern on one text, and how deep it may backtrack: 10 ms at most (pcre2api(3),
 * match limits) */
#define BIDE_CAP_PATTERN_STEPS 100000
#define BIDE_CAP_PATTERN_DEPTH 1000
/* models inside one model */
#define BIDE_CAP_SCHEMA_MODELS 256
/* async computed fields that run at a time for one response */
#define BIDE_CAP_RESOLVE_TASKS 16

/* The web layer */

/* bytes of one response, which is in memory as a whole */
#define BIDE_CAP_WEB_RESPONSE_BYTES ((size_t)64 << 20)
/* bytes of a buffer for responses that is kept for the next one; and how many a loop keeps: what a
   burst took beyond them is freed */
#define BIDE_CAP_WEB_KEPT_BYTES 65536
#define BIDE_CAP_WEB_KEPT_BUFFERS 64
/* bytes of an application's plans and documents */
#define BIDE_CAP_WEB_PLANS_BYTES ((size_t)64 << 20)
/* functions that one request runs: its providers and its handler */
#define BIDE_CAP_WEB_STEPS 32
/* bytes of a Set-Cookie: what browsers take */
#define BIDE_CAP_WEB_COOKIE_BYTES 4096
/* bytes of the path and query that a login page is told to go on with */
#define BIDE_CAP_WEB_NEXT_BYTES 2000
/* of outages that one loop tells apart, and ms until one of them is reported in full again */
#define BIDE_CAP_WEB_OUTAGES 8
#define BIDE_CAP_WEB_OUTAGE_MS 5000
/* of a URL that url_for makes */
#define BIDE_CAP_WEB_URL_BYTES 65536

/* ranges that one request may ask for */
#define BIDE_CAP_HTTP_RANGES 16

/* HTTP connections */

/* bytes of a connection's input while it serves: a whole head, and room for a body behind it */
#define BIDE_CAP_HTTP_INPUT_BYTES 20480
/* bytes of its output: pipelined replies are sent together up to here */
#define BIDE_CAP_HTTP_OUTPUT_BYTES 16384
/* bytes of the fields that are added to a reply: the longest URL as a Location, and some more */
#define BIDE_CAP_HTTP_REPLY_HEADERS_BYTES 10240
/* bytes of a request's body, unless options say else: 413 */
#define BIDE_CAP_HTTP_BODY_BYTES 1048576
/* bytes of a body that are read and dropped when the handler did not want them */
#define BIDE_CAP_HTTP_UNREAD_BODY_BYTES 65536
/* bytes of an exchange's arena */
#define BIDE_CAP_HTTP_ARENA_BYTES 4194304
/* requests of one connection */
#define BIDE_CAP_HTTP_REQUESTS 1000
/* ms from the first byte of a request to the end of its head: 408 */
#define BIDE_CAP_HTTP_HEAD_MS 10000
/* ms between two parts of a body: 408 */
#define BIDE_CAP_HTTP_BODY_GAP_MS 30000
/* bytes per second that a body must make on average, after so many ms; and ms for all of it: 408 */
#define BIDE_CAP_HTTP_BODY_RATE 500
#define BIDE_CAP_HTTP_BODY_GRACE_MS 20000
#define BIDE_CAP_HTTP_BODY_MS 300000
/* ms of a handler: 503 */
#define BIDE_CAP_HTTP_HANDLER_MS 30000
/* ms without progress while sending */
#define BIDE_CAP_HTTP_WRITE_STALL_MS 60000
/* ms without a request on a connection */
#define BIDE_CAP_HTTP_IDLE_MS 75000
/* ms of a connection's life: balancers spread load by opening new ones */
#define BIDE_CAP_HTTP_AGE_MS 3600000
/* ms of accepting while stopping, so that balancers notice */
#define BIDE_CAP_HTTP_LAME_DUCK_MS 2000
/* ms at its end, at most half of it, for the handshakes under way */
#define BIDE_CAP_HTTP_HANDSHAKES_MS 100
/* bytes, and ms between two parts of them, that are read and dropped before a connection is closed
 */
#define BIDE_CAP_HTTP_LINGER_BYTES 262144
#define BIDE_CAP_HTTP_LINGER_MS 1000
/* addresses and networks of trusted proxies */
#define BIDE_CAP_HTTP_TRUSTED 64
/* proxies between a client and the server that are looked at, nearest first */
#define BIDE_CAP_HTTP_PROXIES 16
/* bytes of one element of a Forwarded field; longer ones say nothing */
#define BIDE_CAP_HTTP_FORWARDED_BYTES 256
/* descriptors that connections leave to files and databases */
#define BIDE_CAP_HTTP_SPARE_DESCRIPTORS 32

/* Databases */

/* statements that a connection keeps prepared: more than most programs have queries */
#if BIDE_DEBUG
#define BIDE_CAP_DB_STATEMENTS 8
#else
#define BIDE_CAP_DB_STATEMENTS 128
#endif
/* queries of which an engine keeps what became of them: more than most programs have */
#if BIDE_DEBUG
#define BIDE_CAP_DB_FORMS 4
#else
#define BIDE_CAP_DB_FORMS 4096
#endif
/* tables of which a connection knows how they number their rows */
#define BIDE_CAP_DB_NUMBERED 16
/* bytes of a statement that the library builds from a model, and of any value or row: SQLite's own
 * limit of a value is near */
#define BIDE_CAP_DB_STATEMENT_BYTES 65536
/* rows of one query, and of a page */
#define BIDE_CAP_DB_ROWS 1000000
#define BIDE_CAP_DB_PAGE_ROWS 1000
/* transactions of one database that read at a time, unless the URL says so, and at most */
#define BIDE_CAP_DB_READERS 4
#define BIDE_CAP_DB_READERS_MOST 64
/* ms that a write waits for other processes, unless the URL says so; and that opening does */
#define BIDE_CAP_DB_BUSY_MS 5000
#define BIDE_CAP_DB_OPEN_BUSY_MS 50
/* ms that a read may take on the loop; then it is made once more on a lane */
#define BIDE_CAP_DB_INLINE_MS 10
/* tries of a transaction that is made again, and ms between them: it doubles up to the second */
#define BIDE_CAP_DB_TRIES 8
#define BIDE_CAP_DB_RETRY_FIRST_MS 4
#define BIDE_CAP_DB_RETRY_MOST_MS 256
/* rows of a stream that are in memory at a time */
#define BIDE_CAP_DB_FETCH_ROWS 64
/* keys of one query of bide_load_many */
#if BIDE_DEBUG
#define BIDE_CAP_DB_LOAD_KEYS 256
#else
#define BIDE_CAP_DB_LOAD_KEYS 4096
#endif
/* lines that ask, counted at a time: a power of two; times within ms that are reported */
#define BIDE_CAP_DB_WATCHED 256
#define BIDE_CAP_DB_WATCH_TIMES 50
#define BIDE_CAP_DB_WATCH_MS 1000
/* ms between the statements of a transaction that writes, which are reported */
#define BIDE_CAP_DB_WATCH_IDLE_MS 1000
/* rows that wait in a transaction for its flush; rows, and values, of one statement that inserts */
#define BIDE_CAP_DB_QUEUED 100000
#define BIDE_CAP_DB_INSERT_ROWS 64
#define BIDE_CAP_DB_INSERT_BINDS 1024
/* the same where a statement takes a column as one value: rows, and bytes of theirs, beyond which
 * no further row is added; statements that are sent before the reply to the first of them is there
 */
#if BIDE_DEBUG
#define BIDE_CAP_DB_ARRAY_ROWS 24
#else
#define BIDE_CAP_DB_ARRAY_ROWS 4096
#endif
#define BIDE_CAP_DB_ARRAY_BYTES (1 << 20)
/* autocommit writes in one commit */
#define BIDE_CAP_DB_GROUP 256
/* bytes of the values of one statement that a server gets in another form than the program has */
#define BIDE_CAP_DB_VALUE_BYTES 1073741824
/* ms that a server may take for a COMMIT; then nobody knows what became of it */
#define BIDE_CAP_DB_COMMIT_MS 10000
/* ms before a further one is tried for again */
#define BIDE_CAP_DB_WIDEN_MS 100
/* ms that closing an engine waits for its server */
#define BIDE_CAP_DB_CLOSE_MS 10000
/* connections to a server that stay, unless the URL says so: of all loops together, of one loop at
   most and at least. Half as many again may come for a burst */
#define BIDE_CAP_DB_POOL_SIZE 32
#define BIDE_CAP_DB_POOL_SIZE_MOST 16
#define BIDE_CAP_DB_POOL_SIZE_LEAST 2
/* connections that the autocommit statements of a loop share; a further one is taken when each has
   so many statements under way; one is left alone while a statement takes so many ms */
#define BIDE_CAP_DB_SHARED 4
#define BIDE_CAP_DB_DEPTH 16
#define BIDE_CAP_DB_SLOW_MS 20
/* ms after which a server ends a statement, unless the URL says so; ms that a transaction may be
   idle */
#define BIDE_CAP_DB_STATEMENT_MS 30000
#define BIDE_CAP_DB_IDLE_TX_MS 60000
/* ms before a server that did not answer is tried again: at first, at most */
#define BIDE_CAP_DB_RECONNECT_FIRST_MS 10
#define BIDE_CAP_DB_RECONNECT_LAST_MS 1000
/* bytes of a file of migrations, of its name, and of all of a folder with what is kept of them */
#define BIDE_CAP_DB_MIGRATION_BYTES (4 << 20)
#define BIDE_CAP_DB_MIGRATION_NAME 100
#define BIDE_CAP_DB_MIGRATIONS_BYTES (64 << 20)

/* Caches */

/* bytes and entries of a store in memory, unless options say else */
#define BIDE_CAP_CACHE_BYTES 67108864
#define BIDE_CAP_CACHE_ENTRIES 100000
/* bytes of a value that is kept, unless options say else; of one that tasks give to each other */
#define BIDE_CAP_CACHE_VALUE_BYTES 1048576
#define BIDE_CAP_CACHE_GIVEN_BYTES 67108864
/* bytes of a key */
#define BIDE_CAP_CACHE_KEY_BYTES 512
/* keys that wait to be invalidated while Redis is away: more are given up */
#define BIDE_CAP_CACHE_PENDING 10000
/* ms that a loader may take for its value to be kept */
#define BIDE_CAP_CACHE_TOKEN_MS 60000
/* ms of a call of Redis, unless options say else; and that it is left alone after one that failed
 */
#define BIDE_CAP_CACHE_MS 250
#define BIDE_CAP_CACHE_AWAY_MS 1000

/* Codes to be typed in */

/* what rules say unless they say it: digits, tries, s of the time to live, s between two of them */
#define BIDE_CAP_CODE_DIGITS 6
#define BIDE_CAP_CODE_ATTEMPTS 5
#define BIDE_CAP_CODE_TTL_S 600
#define BIDE_CAP_CODE_RESEND_S 60
/* s of the longest time to live */
#define BIDE_CAP_CODE_TTL_MOST_S 2592000

/* Accounts */

/* bytes of memory and passes of a new hash of a password, unless options say else: the first of
 * OWASP's choices; and the most of a hash that is verified, bcrypt's cost too: 4 s */
#define BIDE_CAP_PASSWORD_MEMORY_BYTES ((size_t)19 << 20)
#define BIDE_CAP_PASSWORD_PASSES 2
#define BIDE_CAP_PASSWORD_MEMORY_MOST_BYTES ((size_t)1 << 30)
#define BIDE_CAP_PASSWORD_PASSES_MOST 64
#define BIDE_CAP_PASSWORD_BCRYPT_COST 16
/* hashes that run at a time, unless options say else: 304 MiB; and that wait for their turn: 20 s
 * of two cores */
#define BIDE_CAP_PASSWORD_AT_ONCE 16
#define BIDE_CAP_PASSWORD_WAITING 1024
/* bytes of a password: a long sentence, and no burden to hash */
#define BIDE_CAP_PASSWORD_BYTES 1024
/* random bytes of a token: more than can be guessed; and at the most */
#define BIDE_CAP_TOKEN_LEAST_BYTES 16
#define BIDE_CAP_TOKEN_BYTES 1024
/* bytes of a signed token: what fits into a header field; s of its life unless rules say else, and
 * of the difference between clocks */
#define BIDE_CAP_JWT_BYTES 8192
#define BIDE_CAP_JWT_TTL_S 900
#define BIDE_CAP_JWT_LEEWAY_S 300
/* s of a session without use, and in all, unless rules say else; and of any */
#define BIDE_CAP_REFRESH_IDLE_S 1209600
#define BIDE_CAP_REFRESH_TTL_S 7776000
#define BIDE_CAP_REFRESH_MOST_S 315360000
/* failures that lock a subject, s in which, and for how long, unless rules say else; the most */
#define BIDE_CAP_LOGIN_FAILURES 5
#define BIDE_CAP_LOGIN_WITHIN_S 600
#define BIDE_CAP_LOGIN_LOCK_S 600
#define BIDE_CAP_LOGIN_FAILURES_MOST 100
#define BIDE_CAP_LOGIN_MOST_S 2592000

/* Redis */

/* commands of one client that wait for a reply, unless options say else */
#define BIDE_CAP_REDIS_WAITING 10000
/* bytes of commands that wait to be sent, but for one that is larger by itself */
#define BIDE_CAP_REDIS_OUTPUT_BYTES 67108864
/* bytes of a text in a reply, unless options say else: the server's own limit */
#define BIDE_CAP_REDIS_REPLY_BYTES 536870912
/* bytes of buffers that a connection without work keeps */
#define BIDE_CAP_REDIS_IDLE_BYTES 1048576
/* bytes that are read at a time */
#define BIDE_CAP_REDIS_READ_BYTES 65536
/* connections beside the shared one, unless options say else, and idle ones that are kept */
#define BIDE_CAP_REDIS_LEASED 32
#define BIDE_CAP_REDIS_IDLE 4
/* ms of a command, of connecting, and without a reply to what was sent, unless options say else */
#define BIDE_CAP_REDIS_MS 5000
#define BIDE_CAP_REDIS_CONNECT_MS 5000
#define BIDE_CAP_REDIS_STALL_MS 30000
/* s of silence after which a connection is probed, s between probes, and how many may be lost */
#define BIDE_CAP_REDIS_ALIVE_S 15
#define BIDE_CAP_REDIS_ALIVE_EVERY_S 5
#define BIDE_CAP_REDIS_ALIVE_COUNT 3
/* ms between two attempts to connect: doubles from the first to the last, minus up to half of it */
#define BIDE_CAP_REDIS_RETRY_FIRST_MS 20
#define BIDE_CAP_REDIS_RETRY_LAST_MS 2000
/* bytes of a URL, and of each part of it */
#define BIDE_CAP_REDIS_URL_BYTES 1024

/* Requests to other servers */

/* ms of a request, and of connecting, unless options say else */
#define BIDE_CAP_CLIENT_MS 30000
#define BIDE_CAP_CLIENT_CONNECT_MS 10000
/* requests of a client at a time, unless options say else */
#define BIDE_CAP_CLIENT_REQUESTS 100
/* bytes of a reply's head, of one field that is sent, and of the texts of options */
#define BIDE_CAP_CLIENT_HEAD_BYTES 65536
/* bytes of a reply's body, unless options say else */
#define BIDE_CAP_CLIENT_BODY_BYTES 16777216
/* bytes of a body that is streamed, in each of two buffers: then the connection is paused */
#define BIDE_CAP_CLIENT_STREAM_BYTES 65536
/* cookies that a client keeps, and bytes of all of them */
#define BIDE_CAP_CLIENT_COOKIES 1000
#define BIDE_CAP_CLIENT_COOKIE_BYTES 1048576

/* Mail */

/* bytes of a mail as it is sent; its recipients; bytes of a subject, and of a name */
#define BIDE_CAP_MAIL_BYTES 1048576
#define BIDE_CAP_MAIL_RECIPIENTS 100
#define BIDE_CAP_MAIL_SUBJECT_BYTES 2000
#define BIDE_CAP_MAIL_NAME_BYTES 200
/* bytes of the URL of a mailer */
#define BIDE_CAP_MAIL_URL_BYTES 2048
#define BIDE_CAP_MAIL_HOST_BYTES 255
/* s for a mail, and connections of a mailer, unless the URL says so; the most that it may say */
#define BIDE_CAP_MAIL_SEND_S 60
#define BIDE_CAP_MAIL_TIMEOUT_S 3600
#define BIDE_CAP_MAIL_CONNECTIONS 8
#define BIDE_CAP_MAIL_CONNECTIONS_MOST 100
/* bytes of a command to a server: what RFC 5321 section 4.5.3.1.4 allows */
#define BIDE_CAP_MAIL_LINE_BYTES 512
/* ms that a connection without work is kept open */
#define BIDE_CAP_MAIL_IDLE_MS 10000
/* mails of a mailer that wait in the background; times that one is tried; ms before the second, by
   how much each later pause is longer, and ms between two looks whether the program stops */
#define BIDE_CAP_MAIL_WAITING 1000
#define BIDE_CAP_MAIL_TRIES 6
#define BIDE_CAP_MAIL_RETRY_FIRST_MS 1000
#define BIDE_CAP_MAIL_RETRY_FACTOR 4
#define BIDE_CAP_MAIL_PAUSE_STEP_MS 200
/* mails, and bytes, that the outbox keeps */
#define BIDE_CAP_OUTBOX_MAILS 100
#define BIDE_CAP_OUTBOX_BYTES 4194304
/* bytes of its page: each byte of a mail may become six, and stands there twice */
#define BIDE_CAP_OUTBOX_PAGE_BYTES 67108864

/* Templates */

/* bytes of a template file, and of what is compiled of one */
#define BIDE_CAP_TEMPLATE_BYTES 1048576
#define BIDE_CAP_TEMPLATE_CODE_BYTES 16777216
/* files of a folder of templates, and folders inside each other */
#define BIDE_CAP_TEMPLATE_FILES 4096
#define BIDE_CAP_TEMPLATE_FOLDERS 16
/* tags of a template with all that it includes: each is a step of a rendering */
#define BIDE_CAP_TEMPLATE_OPS 65536
/* sections, partials and parents inside each other: in a text, while compiling, while rendering */
#define BIDE_CAP_TEMPLATE_DEPTH 64
/* what a rendering is in at a time: items, objects, partials that include themselves */
#define BIDE_CAP_TEMPLATE_FRAMES 192
/* models and lists that a template goes into, and partials that include themselves */
#define BIDE_CAP_TEMPLATE_REGISTERS 64
#define BIDE_CAP_TEMPLATE_UNITS 64
/* bytes of a page that bide_render makes */
#define BIDE_CAP_TEMPLATE_PAGE_BYTES 16777216

/* Around routes */

/* bytes of a reply that is compressed on the loop, in a fifth of a millisecond; more is for the CPU
 * lane */
#define BIDE_CAP_GZIP_INLINE_BYTES 32768
/* compressors (256 KiB each) that one middleware keeps for later */
#define BIDE_CAP_GZIP_KEPT 8
/* bytes of a file that is sent from memory; a larger one is sent from where it is */
#define BIDE_CAP_FILE_BYTES 1048576
/* bytes of one that are sent at a time: by the loop, if they are in memory; by the blocking lane */
#define BIDE_CAP_FILE_PART_BYTES 131072
#define BIDE_CAP_FILE_LANE_PART_BYTES 1048576
/* bytes of the path of one, below its folder */
#define BIDE_CAP_FILE_PATH_BYTES 1024
/* bytes of static files that a loop keeps in memory, and of one of them */
#if BIDE_DEBUG
#define BIDE_CAP_FILE_CACHE_BYTES 65536
#define BIDE_CAP_FILE_CACHED_BYTES 16384
#else
#define BIDE_CAP_FILE_CACHE_BYTES 8388608
#define BIDE_CAP_FILE_CACHED_BYTES 262144
#endif
/* ms that a kept file is sent without a look at the disk */
#define BIDE_CAP_FILE_FRESH_MS 1000

#endif
