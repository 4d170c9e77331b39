/**
 * Every bound of the project: its unit in the name or the comment, and why it is what it is.
 * Nothing else in the project writes such a number down a second time.
 */

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const LIMITS = {
  /** Segmentation, LIP-243. */
  segmentation: {
    /** Bytes of one serialised segment at most. */
    segmentBytes: 102_400,
    /** Bytes of a message in profiles without segmentation: with SDS around it, it still fits the network's message. */
    rawBytes: 130_000,
    /** Bytes kept free in a segment for its own fields. */
    headerReserveBytes: 128,
    /** Shards are a multiple of this many bytes, as Leopard-RS needs them. */
    shardAlignBytes: 64,
    /** Data and parity segments of one message together. */
    totalSegments: 256,
    /** Incomplete messages being reassembled per channel. */
    sets: 100,
    /** Bytes of incomplete messages held per channel. */
    bufferedBytes: 32 * MIB,
    /** Messages of several segments with the very same payload that one sender may have in reassembly at once. */
    copies: 16,
    /**
     * Milliseconds, awake and online, without news after which an incomplete message is given up. That its end is missing
     * is known once someone names it, at the latest by a periodic sync, 12.5 minutes apart at most; then SDS looks for it
     * for ten.
     */
    setIdleMs: 25 * MINUTE,
    /** The same that it has at least after a start, sleep, or time offline, so that the catch-up can complete it. */
    resumeGraceMs: 1 * MINUTE,
    /** The same after which a complete message that SDS still holds back is given up: past every deadline of SDS. */
    heldBackMs: 1 * HOUR,
    /** Completed and lost messages remembered per channel, so that late segments are known for what they are. */
    completedSets: 1_000,
    /** Segments remembered of a lost message that tell which others are its, too: SDS message ids of 256 bytes each. */
    followers: 64,
    /** Losses told by an id alone that are remembered: more than SDS gives up at once, so that none is told again. */
    lostIds: 10_000,
  },
  /** Scalable Data Sync, LIP-109. */
  sds: {
    /** Entries of the causal history that we send. */
    causalHistory: 2,
    /** Entries of an incoming causal history that are looked at. */
    incomingHistory: 256,
    /** Messages that wait for their dependencies, per channel, and their bytes. */
    parkedMessages: 1_000,
    parkedBytes: 32 * MIB,
    /** Messages of the ordered log, and ids remembered beyond it. */
    log: 10_000,
    seenIds: 100_000,
    /** Bytes of exact wire messages kept for retransmission and repair, per channel. */
    wireBytes: 16 * MIB,
    /** Rows, and bytes of wire messages, forgotten at once: enough that fetching them from memory is worth it. */
    forgottenRows: 100,
    forgottenBytes: 128 * KIB,
    /** Milliseconds that exact wire bytes outlive their acknowledgement: several gaps, each found after the last repair. */
    wireKeptMs: 1 * HOUR,
    /** Milliseconds from propagation to the first retransmission; doubles each time. */
    acknowledgementMs: 5 * SECOND,
    retransmissions: 5,
    /** An ack-sync follows received content after a random time between these, and never sooner after another one. */
    ackSyncMinMs: 0.5 * SECOND,
    ackSyncMaxMs: 2 * SECOND,
    ackSyncGapMs: 2 * SECOND,
    /** Idle synchronisation starts at this interval and decays to the other. */
    syncMs: 30 * SECOND,
    syncMaxMs: 10 * MINUTE,
    /** Milliseconds after which a dependency that cannot be found is given up: T_max, and as much to ask again and again. */
    lostAfterMs: 10 * MINUTE,
    /** Dependencies looked for at once, per channel. */
    missing: 4_096,
    /**
     * Bytes of one message of ours at most: with topic, marker and time around it, and what encryption adds, of which a
     * page's own may add a KiB, the network takes it.
     */
    messageBytes: 148 * KIB,
    /** Entries of our causal history at most, where more than the usual number are needed to keep the causal order. */
    causalHistoryMax: 64,
    /** Bytes of an entry of it at most: message id, retrieval hint and sender id, and what is around them. */
    historyEntryBytes: 256 + 64 + 256 + 16,
    /** Milliseconds by which a Lamport timestamp may run ahead of our clock: a burst adds a second per message. */
    skewMs: DAY,
    /** Our bloom filters: error rate (0–1), least capacity, message ids at most, and messages of ours that name an id. */
    filterErrorRate: 1e-5,
    filterMinCapacity: 16,
    filterIds: 1_024,
    filterRepeats: 4,
    /** Doubt (0–1) below which bloom filter hits count as an acknowledgement. */
    acknowledgementDoubt: 1e-4,
    /** Hits for one message of ours that are remembered: each from another sender, or from a filter of another shape. */
    filterHits: 8,
    /** Participants of which is remembered how much they have of a message of ours in several parts: those that have most. */
    holders: 8,
    /** Milliseconds between ack-syncs where reference members are: each displaces a content id from their history. */
    ackSyncReferenceGapMs: 10 * SECOND,
    /**
     * Milliseconds after which a retransmission whose departure was never reported counts as made, unless it waits in the
     * rate limiter: two epochs of the usual length.
     */
    unreportedMs: 20 * MINUTE,
    /** Messages of ours whose retransmissions are exhausted and that a late acknowledgement is still awaited for. */
    exhausted: 1_000,
    /** SDS-R: T_min and T_max, entries of a request that we send and that we look at, and requests open at once. */
    repairMinMs: 30 * SECOND,
    repairMaxMs: 300 * SECOND,
    repairRequest: 3,
    incomingRepairRequest: 16,
    repairs: 1_000,
    /** SDS-R: participants for each response group. */
    responseGroupMembers: 128,
    /** Other participants remembered per channel. */
    members: 1_000,
    /**
     * Those heard within this time count as there, and delay acknowledgements by the root of their number; up to this
     * many: with 64 the first of them still answers before a retransmission, and nobody can delay it for longer.
     */
    memberActiveMs: 1 * HOUR,
    membersActive: 64,
    /** Milliseconds between two notes that a member was heard. */
    memberHeardStepMs: 5 * MINUTE,
    /** Milliseconds by which a timer may be late before the time in between counts as slept through. */
    timerSlackMs: 30 * SECOND,
    /** Bytes of identifiers: participants, channels, messages; and of retrieval hints, of which a message hash has 32. */
    identifierBytes: 256,
    hintBytes: 64,
    /** Positions per id in a filter of others: as many would mean an error rate of 2⁻⁶⁴. */
    filterHashes: 64,
  },
  /** The search in stores for messages that others depend on. */
  search: {
    /** Milliseconds between two queries of a channel. */
    gapMs: 1 * SECOND,
    /** Milliseconds until a message is looked for again, doubling up to the second. */
    retryMs: 10 * SECOND,
    retryMaxMs: 1 * MINUTE,
    /** Milliseconds searched before the dependant, by attempt: what is older comes with the catch-up. */
    windowsMs: [5 * MINUTE, 1 * HOUR],
  },
  /** The epoch budget, LIP-173. */
  rateLimit: {
    /** Seconds of an epoch, as RLN counts them, and messages in one where a budget is turned on: as The Waku Network has it. */
    epochSeconds: 600,
    epochMessages: 100,
    /** Seconds of an epoch, and messages in one, that may be chosen at most: a day, and more than any network takes in it. */
    epochMaxSeconds: 86_400,
    epochMaxMessages: 1_000_000,
    /** Milliseconds that an ephemeral message may wait for budget before it is refused. */
    ephemeralWaitMs: 60 * SECOND,
    /** Retransmissions, sync messages and repairs of a channel that may wait for budget: then no more repairs are added. */
    upkeep: 1_000,
  },
  /** The messaging layer, LIP-168 and P2P-RELIABILITY. */
  messaging: {
    /** Bytes of one encoded Waku message, the network's limit: 150 KiB. */
    messageBytes: 150 * KIB,
    /** The same on status.prod. */
    statusMessageBytes: 1 * MIB,
    /** Milliseconds between attempts, and attempts under way at once. */
    retryMs: 1 * SECOND,
    parallelSends: 4,
    /** Milliseconds of being online within which a send must propagate, and then be confirmed. */
    sendWindowMs: 60 * SECOND,
    storeWindowMs: 60 * SECOND,
    /** Milliseconds between two readings of the time online. A gap of more than twice that was sleep, and counts as that. */
    onlineStepMs: 5 * SECOND,
    /** Milliseconds for which retries carry the same timestamp: store nodes refuse more than 20 s of skew. */
    restampMs: 15 * SECOND,
    /** Milliseconds from propagation to the first look in a store, and between looks for the same hash. */
    storeCheckMs: 3 * SECOND,
    /** Message hashes in one store query, and messages in one page. */
    storeHashes: 100,
    storePage: 100,
    /** Tasks queued at once. */
    queuedTasks: 1_000,
    /** Milliseconds between filter pings: the traffic also keeps a service worker alive. */
    filterPingMs: 20 * SECOND,
    /** Content topics in one filter request. */
    filterTopics: 100,
    /** Filter push streams open at once: a node uses one per connection, and reconnects may leave a few behind. */
    pushStreams: 100,
    /** Milliseconds for which a message hash is remembered for deduplication. */
    dedupeMs: 10 * MINUTE,
    /** Catch-up: overlap with what was seen, widest window, look-back of a new topic, and time between retries. */
    catchUpOverlapMs: 40 * SECOND,
    catchUpWindowMs: 24 * HOUR,
    catchUpNewTopicMs: 24 * HOUR,
    catchUpRetryMs: 30 * SECOND,
    /** Milliseconds for one request to a service node. */
    requestMs: 10 * SECOND,
    /** Requests that a lightpush node admits of one peer in each window, and its milliseconds. */
    lightpushRequests: 37,
    lightpushWindowMs: 10 * SECOND,
    /** Requests to one lightpush node: tokens per second and burst, which together are that many: 5 + 10 · 3.2. */
    lightpushPerSecond: 3.2,
    lightpushBurst: 5,
    /** Bytes that a service node adds when it encodes a message anew, without and with meta; they count. */
    messageOverheadBytes: 10,
    messageOverheadWithMetaBytes: 8,
    /** Bytes of `meta`, 14/WAKU2-MESSAGE. */
    metaBytes: 64,
    /** Messages fetched at once; bytes of one answer, which are these at the 1 MiB of the widest network; of one push. */
    answerBytes: 24 * MIB,
    pushBytes: 2 * MIB,
    storeFetch: 20,
    /** Milliseconds for which a service node that failed is used only if there is no other. */
    peerFailureMs: 30 * SECOND,
    /** Milliseconds between attempts to reach a known address: the first, doubling up to the second. */
    dialRetryMs: 1 * SECOND,
    dialRetryMaxMs: 30 * SECOND,
    /** Milliseconds that a connection has to prove that it is alive, after the way to the network changed. */
    verifyMs: 3 * SECOND,
    /** Milliseconds after which the test of an address gives up: before the popup gives up waiting for its answer. */
    peerTestMs: 10 * SECOND,
    /** Addresses that are tested at once: each test is a node of its own. */
    peerTests: 4,
    /** Peers of each service up to which others are looked for: two in use and a spare. */
    peersWanted: 3,
    /** Milliseconds between looks for other peers, peers asked for in one, addresses dialled at once and kept waiting. */
    discoverEveryMs: 60 * SECOND,
    exchangedPeers: 60,
    parallelDials: 3,
    candidates: 200,
    /** Failed attempts after which an address that somebody else named is given up. */
    candidateDials: 3,
    /** Peers remembered per network, and milliseconds between two notes that one is still good. */
    cachedPeers: 20,
    cacheNoteMs: 1 * HOUR,
    /** Errors kept for diagnostics. */
    lastErrors: 20,
    /** Milliseconds online, on a network where no store was ever seen, after which propagated counts as sent. */
    storeGraceMs: 10 * SECOND,
    /** Milliseconds between looks in the store for what the filter did not bring. */
    catchUpEveryMs: 1 * MINUTE,
    /** Received messages waiting for their listener per topic, and their bytes; what is more comes from the store later. */
    intakeMessages: 1_000,
    intakeBytes: 32 * MIB,
    /** Message hashes remembered for deduplication, and final tasks for their idempotency keys. */
    dedupeHashes: 50_000,
    finalTasks: 10_000,
    /** Milliseconds for which the node keeps its libp2p identity. */
    identityMs: 1 * DAY,
    /** Milliseconds that a request may wait offline. */
    offlineMs: 7 * DAY,
  },
  /** What one origin may hold. */
  origin: {
    /** Open channels; and open and closed ones together, as a closed one keeps what it has, and is read at every start. */
    channels: 64,
    storedChannels: 256,
    pendingRequests: 256,
    pendingBytes: 64 * MIB,
    /** Prompts that were refused, or that the page gave up, within a time, after which prompts are blocked for a time. */
    refusals: 3,
    refusalWindowMs: 30 * SECOND,
    refusalBlockMs: 60 * SECOND,
  },
  /** The page border: what one page may ask for at once, and how long silence may last. */
  provider: {
    /** Calls under way per page: more is a runaway loop. */
    callsPerPage: 512,
    /** Calls of one origin that wait on the same connect prompt. */
    callsPerPrompt: 32,
    /** Bytes of an identifier, topic or key that a page passes. */
    textBytes: 256,
    /** Bytes of an origin: a host name has 253 characters at most, beside scheme and port. */
    originBytes: 512,
    /** Content topics in one grant, and scopes that a request for one names: there are three. */
    contentTopics: 64,
    scopes: 8,
    /** Events, and their bytes, pushed to a page and not yet acknowledged by it. */
    windowEvents: 64,
    windowBytes: 8 * MIB,
    /** Events read from the log at once, and the bytes after which an answer with history ends. */
    historyPage: 8,
    historyBytes: 8 * MIB,
    /** Milliseconds after which a page that acknowledges nothing is taken for frozen (back/forward cache). */
    receiptMs: 10 * SECOND,
    /** Milliseconds that a page's own `encrypt` or `decrypt` has for one message, from when the page took it. */
    cipherMs: 10 * SECOND,
    /** Milliseconds within which snapshots for the popup and prompt are sent as one. */
    snapshotMs: 100,
    /** Requests that a snapshot lists, and large messages under way that it shows. */
    snapshotRequests: 200,
    /** Failed requests that are remembered as looked at. */
    seenFailures: 1_000,
    /** Failed requests whose errors are in the copied diagnostics. */
    diagnosedFailures: 20,
    snapshotTransfers: 64,
  },
  /** The timer of the channel layer. */
  shell: {
    /** Milliseconds that it sleeps at most: a clock that jumps is noticed within them. */
    longestSleepMs: 1 * MINUTE,
    /** Milliseconds of pause after something choked on what was due. */
    pauseMs: 1 * SECOND,
  },
  /** The background's engine. */
  background: {
    /** Milliseconds before a broken engine's successor starts: doubles from one to the other while they keep breaking. */
    restartMs: 1 * SECOND,
    restartMaxMs: 1 * MINUTE,
    /** Milliseconds that an engine has for its end. Its writes are refused in any case once the next one began. */
    stopMs: 5 * SECOND,
    /** Milliseconds of these in which it may still answer what the popup and the prompt asked. */
    answersMs: 2 * SECOND,
    /** Milliseconds between alarms, which wake a worker that nothing else would; the least that browsers allow. */
    wakeMs: 1 * MINUTE,
  },
  /** The event log of a channel. */
  eventLog: {
    /** Events, and bytes of their messages: beyond either, intake pauses. */
    events: 10_000,
    bytes: 64 * MIB,
    /** Handled events that are removed at once when there are too many. */
    trimEvents: 64,
  },
  /** Final requests remembered per channel, as many as its log has events; and oldest ones that go at once beyond that. */
  finalRequests: { most: 10_000, trim: 64 },
  /** What a channel takes in. */
  intake: {
    /** The fraction of the log's bounds below which intake goes on: it costs a look in the stores. */
    resumeBelow: 0.5,
    /** Milliseconds without any page after which a channel is suspended, and the exactness of that. */
    unattendedMs: 30 * DAY,
    attendedStepMs: 1 * HOUR,
    /** Milliseconds in the past up to which skipped messages are fetched again, whatever timestamp they carry. */
    lookBackMs: 60 * DAY,
  },
  /** What the extension stores in all. */
  storage: {
    /**
     * Bytes, and the fraction of what the browser grants: the lesser counts. Far below what it refuses, as what makes room,
     * and what was accepted before, is written too.
     */
    bytes: 1024 * MIB,
    ofQuota: 0.5,
    /** The fraction of the bound below which there is room again: that costs a look in the stores for every channel. */
    resumeBelow: 0.9,
    /** Milliseconds between readings, and the least, however much is written: the browser may have to look at every file. */
    readEveryMs: 30 * SECOND,
    restMs: 5 * SECOND,
    /** Bytes of content written after which it is read sooner: by about so much the bound may be passed. */
    readAfterBytes: 16 * MIB,
    /** Milliseconds for which storage counts as full after the browser refused a commit, each of which costs an engine. */
    refusedMs: 5 * MINUTE,
  },
  /** Messages that wait for the cipher of their channel, and their bytes: beyond either, catching up on the topic pauses. */
  parked: {
    messages: 10_000,
    bytes: 32 * MIB,
    /** Milliseconds that the oldest waits before timers stand still: what they would report may be among the parked. */
    behindMs: 1 * SECOND,
  },
  /** Hashes of messages that meant nothing, remembered per channel so that each is counted once. */
  diagnosticHashes: 1_024,
  /** Popup and prompt. */
  ui: {
    /** Milliseconds before a lost background is called again: doubles from one to the other. */
    reconnectMs: 50,
    reconnectMaxMs: 2 * SECOND,
    /** Milliseconds for which a command waits for its answer, worker restarts included. */
    answerMs: 15 * SECOND,
    /** Milliseconds for which a fresh prompt takes no answer: a click meant for something else must not allow a site. */
    promptGuardMs: 400,
    /** Milliseconds for which a notice stays: read twice at a calm pace. */
    noticeMs: 8 * SECOND,
    /** Milliseconds between two renderings of relative times. */
    relativeTimeMs: 30 * SECOND,
    /** Channels above which the list has a search field. */
    searchAbove: 8,
    /** Bootstrap addresses of one network, characters of each, and characters of its name. */
    bootstrapAddresses: 32,
    addressChars: 512,
    networkNameChars: 64,
    /** The highest cluster id, of 16 bits, and the most shards of a cluster (51/WAKU2-RELAY-SHARDING). */
    clusterId: 65_535,
    shards: 1_024,
    /** Milliseconds after which a copied key leaves the clipboard. */
    clipboardMs: 1 * MINUTE,
    /** Milliseconds between attempts while nothing of ours is in front, and for which they are made: then it holds something else. */
    clipboardRetryMs: 30 * SECOND,
    clipboardTryMs: 10 * MINUTE,
    /** Milliseconds without a keystroke after which pasted text is looked at. */
    inspectMs: 150,
    /** Requests that the view of one channel lists; the others are under Activity. */
    channelRequests: 5,
    /** Pixels along a module of a QR code that is saved as an image. */
    qrModulePixels: 8,
  },
  /** Keys, the vault, and what is pasted. */
  keys: {
    /** Keys held, sites that may use one of them, and characters of a key's name. */
    keys: 256,
    originsPerKey: 64,
    nameChars: 64,
    /** Keys that a channel had before and still reads with: each is one more attempt at what nothing reads. */
    earlierKeys: 8,
    /** Characters of a password: fewer are guessed, and more are a file pasted by mistake. */
    passwordMinChars: 8,
    passwordMaxChars: 1_024,
    /** PBKDF2-SHA-256 iterations: what is made here, and the most that a stranger's backup may cost us (about 2 s). */
    kdfIterations: 600_000,
    kdfMaxIterations: 10_000_000,
    /** Milliseconds without use after which the vault locks: at first, and what may be chosen. */
    autoLockMs: 1 * HOUR,
    autoLockMinMs: 1 * MINUTE,
    autoLockMaxMs: 7 * DAY,
    /** Milliseconds between looks at the clock, which may jump, and by which the deadline moves at least. */
    autoLockCheckMs: 30 * SECOND,
    autoLockStepMs: 10 * SECOND,
    /** Bytes above which fewer rows are sealed anew in one transaction, and rows at most: they may hold a message each. */
    resealBytes: 1 * MIB,
    resealRows: 16,
    /** Characters of a pasted key, of an invitation code, and of a backup file; channels in one. */
    pastedChars: 4_096,
    invitationChars: 4_096,
    backupChars: 8 * MIB,
    backupChannels: 4_096,
    /** Pixels of an image in which a QR code is looked for, and milliseconds for which it is. */
    qrPixels: 24_000_000,
    qrMs: 2 * SECOND,
  },
  /** Milliseconds for which stored call results, idempotency keys and final requests are kept. */
  keptResultsMs: 7 * DAY,
  /** Milliseconds between looks for what is older than that, and stored results looked at in one step. */
  forgetEveryMs: 1 * HOUR,
  forgetRows: 256,
} as const;

/** The bounds of the script that runs in pages, apart from the others so that it carries these alone. */
export const PAGE_LIMITS = {
  /** Milliseconds without an answer to `hello` or to a call (accepted, not yet done, is one) before a new line is tried. */
  silenceMs: 3 * SECOND,
  /** Milliseconds after which calls that nobody accepted are rejected with `Disconnected`. */
  unreachableMs: 15 * SECOND,
  /** Milliseconds before the first, second, … attempt after the line went down; the last one repeats. */
  backoffMs: [0, 0.1 * SECOND, 0.5 * SECOND, 1 * SECOND, 2 * SECOND, 5 * SECOND],
  /** Failures that still count once the background greeted: enough that one which dies at every call is not hammered. */
  failuresAfterWelcome: 2,
  /** Events that one step of `history` asks for. */
  historyPage: 64,
  /** Bytes that a page's own `encrypt` or `decrypt` returns at most: topic, marker and timestamp around them fit 150 KiB. */
  cipherOutputBytes: 149 * KIB,
  /** Characters of what such a function said when it failed. */
  cipherReasonChars: 500,
} as const;
