/** The first of `length` places in order that is not below what is looked for; `length` where all are. */
export function lowerBound(length: number, isBelow: (place: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBelow(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
