import { utf8 } from "../common/bytes.ts";

/**
 * Wire-format spec marker of the Reliable Channel layer (LIP-173, Wire Format). A Waku message whose `meta` differs is not
 * for this layer. The number is raised only when the wire format breaks.
 */
export const RELIABLE_CHANNEL_MARKER = utf8("RELIABLE-CHANNEL-API/1");
