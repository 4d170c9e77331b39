/**
 * What is wrong with a content topic, in words; `undefined` if nothing is. The form is 23/WAKU2-TOPICS:
 * `/application/version/name/encoding`, optionally with a generation before it; no part is empty.
 */
export function contentTopicProblem(contentTopic: string): string | undefined {
  const form = "a content topic has the form /application/version/name/encoding";
  if (!contentTopic.startsWith("/")) return `${form}: it begins with a slash`;
  const parts = contentTopic.slice(1).split("/");
  if (parts.length !== 4 && parts.length !== 5) return `${form}: it has four parts`;
  if (parts.some((part) => part.length === 0)) return `${form}: no part is empty`;
  // Autosharding knows generation 0 only (51/WAKU2-RELAY-SHARDING).
  if (parts.length === 5 && parts[0] !== "0") return "the generation of a content topic is 0";
  return undefined;
}
