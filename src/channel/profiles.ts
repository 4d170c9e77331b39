/**
 * Who the peers of a channel are. A profile is fixed when the channel is created and never detected: everything that a
 * message looks like on the wire follows from it.
 */
import { type Bytes, EMPTY } from "../common/bytes.ts";
import { err, ok, type Result } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import type { SdsLayout } from "../sds/layout.ts";
import { lip109Layout } from "../sds/lip109-layout.ts";
import { nimLayout } from "../sds/nim-layout.ts";
import { performSegmentation, type SegmentationError } from "../segmentation/segmenter.ts";
import type { Profile } from "./types.ts";
import { RELIABLE_CHANNEL_MARKER } from "./wire-marker.ts";

export interface ProfileWire {
  /** `meta` of every Waku message, byte for byte; a message with another one is not for the channel. */
  readonly marker: Bytes;
  readonly layout: SdsLayout;
  /** What the content of an SDS message is: a segment, or a whole message. */
  readonly content: "segments" | "raw";
  /** The contents of the SDS messages that carry `payload`, in sending order. */
  split(payload: Bytes): Result<readonly Bytes[], SegmentationError>;
}

const PROFILES: Record<Profile, ProfileWire> = {
  /** This extension, and newest logos-delivery. */
  logos: {
    marker: RELIABLE_CHANNEL_MARKER,
    layout: nimLayout,
    content: "segments",
    split: (payload) => performSegmentation(payload),
  },
  /** logos-delivery of summer 2026, which does not segment. */
  "logos-raw": { marker: RELIABLE_CHANNEL_MARKER, layout: nimLayout, content: "raw", split: whole },
  /** `ReliableChannel` of `@waku/sdk`, which marks nothing and does not segment. */
  "waku-sdk": { marker: EMPTY, layout: lip109Layout, content: "raw", split: whole },
};

/** How a profile looks on the wire. */
export function wireOf(profile: Profile): ProfileWire {
  return PROFILES[profile];
}

/** Whether these bytes are an SDS message in a layout that is not the profile's. */
export function isOtherLayout(profile: ProfileWire, wire: Uint8Array): boolean {
  return [nimLayout, lip109Layout].some((layout) => layout !== profile.layout && layout.decode(wire).ok);
}

function whole(payload: Bytes): Result<readonly Bytes[], SegmentationError> {
  const limit = LIMITS.segmentation.rawBytes;
  if (payload.length <= limit) return ok([payload]);
  const message = `payload of ${payload.length} bytes exceeds ${limit} bytes, the most that a message without segments carries`;
  return err({ kind: "payload-too-large", message, limit });
}
