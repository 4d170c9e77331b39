/** The form of a new channel, and the site that a channel is for. */
import { contentTopicProblem } from "../common/content-topic.ts";
import { err, ok, type Result } from "../common/result.ts";

/** Host names for which plain HTTP is a secure context: only such sites have the provider. */
const LOOPBACK = new Set(["localhost", "127.0.0.1"]);

/** The origin of what was typed, which may be the whole address of a page or its host alone. */
export function parseSite(typed: string): string | undefined {
  const text = typed.trim();
  const candidate = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`;
  if (text === "" || /\s/.test(text) || !URL.canParse(candidate)) return undefined;
  const url = new URL(candidate);
  if (url.username !== "" || url.password !== "" || url.hostname === "") return undefined;
  const secure = url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.has(url.hostname));
  return secure ? url.origin : undefined;
}

export interface ChannelForm {
  readonly site: string;
  readonly channelId: string;
  readonly contentTopic: string;
}

export interface NewChannel {
  readonly origin: string;
  readonly channelId: string;
  readonly contentTopic: string;
}

export type ChannelField = keyof ChannelForm;
export type ChannelFieldError = "errorSite" | "errorChannelId" | "errorTopic";
export type ChannelFieldErrors = Readonly<Partial<Record<ChannelField, ChannelFieldError>>>;

export function parseChannelForm(form: ChannelForm): Result<NewChannel, ChannelFieldErrors> {
  const errors: Partial<Record<ChannelField, ChannelFieldError>> = {};
  const origin = parseSite(form.site);
  const channelId = form.channelId.trim();
  const contentTopic = form.contentTopic.trim();
  if (origin === undefined) errors.site = "errorSite";
  if (channelId === "") errors.channelId = "errorChannelId";
  if (contentTopicProblem(contentTopic) !== undefined) errors.contentTopic = "errorTopic";
  if (origin === undefined || Object.keys(errors).length > 0) return err(errors);
  return ok({ origin, channelId, contentTopic });
}
