/**
 * The border for frames from pages: whatever a page manages to post becomes a `PageFrame` or nothing. Runs in the
 * background only; unknown members are dropped, every text and list is bounded.
 */
import * as v from "valibot";
import type { Bytes } from "../common/bytes.ts";
import { LIMITS, PAGE_LIMITS } from "../limits.ts";
import type { PageFrame } from "./frames.ts";

const { textBytes, contentTopics, scopes } = LIMITS.provider;
const { cipherOutputBytes, cipherReasonChars } = PAGE_LIMITS;

const text = v.pipe(
  v.string("must be a string"),
  v.nonEmpty("must not be empty"),
  v.maxBytes(textBytes, `must be at most ${textBytes} bytes of UTF-8`),
  v.check((value) => value.isWellFormed(), "must be well-formed Unicode"),
);
const uuid = v.pipe(v.string(), v.uuid());
/** What `cursorOf` writes. */
const cursor = v.pipe(v.string("must be a cursor"), v.regex(/^\d{16}$/, "must be a cursor that an event carried"));
const flag = v.optional(v.boolean("must be true or false"));
const count = v.pipe(
  v.number("must be a number"),
  v.safeInteger("must be a whole number"),
  v.minValue(0, "must be 0 or more"),
);
const profile = v.picklist(["logos", "logos-raw", "waku-sdk"], 'must be "logos", "logos-raw" or "waku-sdk"');

/**
 * Bytes by what they are, not by whose constructor made them: in Firefox another world's Uint8Array is no instance of
 * ours. The copy has a constructor and a buffer of our own.
 */
const foreignBytes = v.custom<Uint8Array>(
  (value) => ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === "[object Uint8Array]",
  "must be bytes",
);
const own = v.transform((value: Uint8Array): Bytes => new Uint8Array(value));
const bytes = v.pipe(foreignBytes, own);

const nothing = v.object({});
const channelOnly = v.object({ channelId: text });
const attachment = v.object({
  channelId: text,
  events: v.boolean("must be true or false"),
  after: v.optional(cursor),
  cipher: flag,
});

const PARAMS = {
  connect: v.object({
    onlyIfTrusted: flag,
    scopes: v.optional(
      v.pipe(
        v.array(
          v.picklist(
            ["channel:create", "channel:send", "channel:receive"],
            'must be "channel:create", "channel:send" or "channel:receive"',
          ),
          "must be a list",
        ),
        v.nonEmpty("must not be empty"),
        v.maxLength(scopes, "is too long"),
      ),
    ),
    contentTopics: v.optional(
      v.pipe(
        v.array(text, "must be a list"),
        v.nonEmpty("must not be empty"),
        v.maxLength(contentTopics, `must have at most ${contentTopics} entries`),
      ),
    ),
  }),
  disconnect: nothing,
  permissions: nothing,
  create: v.object({
    channelId: text,
    contentTopic: text,
    senderId: v.optional(text),
    encryption: v.optional(
      v.object({
        mode: v.picklist(["key", "none", "page"], 'must be "key", "none" or "page"'),
        keyId: v.optional(text),
      }),
    ),
    profile: v.optional(profile),
    parityRate: v.optional(
      v.pipe(v.number("must be a number"), v.minValue(0, "must be 0 to 1"), v.maxValue(1, "must be 0 to 1")),
    ),
  }),
  attach: attachment,
  close: channelOnly,
  send: v.object({ channelId: text, message: bytes, ephemeral: flag, idempotencyKey: v.optional(text) }),
  request: v.object({ channelId: text, requestId: text }),
  history: v.object({ channelId: text, after: v.optional(cursor), limit: count }),
  ack: v.object({ channelId: text, cursor }),
  channelStatus: channelOnly,
  exists: channelOnly,
  list: nothing,
  status: nothing,
  quota: nothing,
};

const callHead = { type: v.literal("call"), callId: uuid, retry: v.boolean() };
const call = <M extends keyof typeof PARAMS>(method: M) =>
  v.object({ ...callHead, method: v.literal(method), params: PARAMS[method] });

const callFrame = v.variant(
  "method",
  [
    call("connect"),
    call("disconnect"),
    call("permissions"),
    call("create"),
    call("attach"),
    call("close"),
    call("send"),
    call("request"),
    call("history"),
    call("ack"),
    call("channelStatus"),
    call("exists"),
    call("list"),
    call("status"),
    call("quota"),
  ],
  "is not a method of this provider",
);

const cipherHead = { type: v.literal("cipher"), operationId: uuid };
const moment = v.pipe(v.number(), v.finite(), v.minValue(0));

const otherFrame = v.variant("type", [
  v.object({
    type: v.literal("hello"),
    version: v.number(),
    pageId: uuid,
    attached: v.pipe(v.array(attachment), v.maxLength(LIMITS.origin.channels)),
    focusedAt: v.optional(moment),
  }),
  v.object({ type: v.literal("cancel"), callId: uuid }),
  v.object({ type: v.literal("received"), push: count }),
  v.object({ type: v.literal("focused"), at: moment }),
  v.variant("ok", [
    v.object({
      ...cipherHead,
      ok: v.literal(true),
      output: v.pipe(
        foreignBytes,
        // Looked at before it is copied.
        v.check((output) => output.length > 0 && output.length <= cipherOutputBytes),
        own,
      ),
    }),
    v.object({
      ...cipherHead,
      ok: v.literal(false),
      reason: v.pipe(
        v.string(),
        v.maxLength(cipherReasonChars),
        v.check((reason) => reason.isWellFormed()),
      ),
    }),
  ]),
]);

const anyCall = v.object(callHead);

export type ParsedFrame =
  | { readonly ok: true; readonly frame: PageFrame }
  /** A call that makes no sense, but whose caller can be told so. */
  | { readonly ok: false; readonly callId: string; readonly message: string }
  | { readonly ok: false; readonly callId: undefined };

export function parseFrame(frame: unknown): ParsedFrame {
  try {
    const head = v.safeParse(anyCall, frame);
    if (!head.success) {
      const other = v.safeParse(otherFrame, frame);
      return other.success ? { ok: true, frame: other.output } : { ok: false, callId: undefined };
    }
    const parsed = v.safeParse(callFrame, frame, { abortEarly: true });
    if (parsed.success) return { ok: true, frame: parsed.output };
    const [issue] = parsed.issues;
    const path = v.getDotPath(issue)?.replace(/^params\./, "");
    return { ok: false, callId: head.output.callId, message: `${path ?? "The call"} ${issue.message}.` };
  } catch {
    // Structured clones have no getters, so reading cannot throw there; what a browser might add still ends here.
    return { ok: false, callId: undefined };
  }
}
