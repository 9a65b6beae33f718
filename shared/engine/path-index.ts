/**
 * An index of paths: which of many numbered paths a path satisfies, in a time
 * that depends on the path, not on how many there are.
 *
 * @module
 */

/** Numbers of paths by what they are. Numbers must be added in ascending order, so that every list is ascending. */
export interface PathIndex {
  readonly exact: Map<string, number[]>;
  readonly root: PrefixNode;
  readonly texts: Map<string, number[]>;
  /** The lengths that occur in `texts`, the greatest first: as many look-ups are needed. */
  readonly textLengths: number[];
}

/** The paths with one prefix of whole segments, in a trie by segments. */
export interface PrefixNode {
  readonly parent: PrefixNode | null;
  readonly children: Map<string, PrefixNode>;
  readonly candidates: number[];
}

/** Makes an index without any path. */
export function createIndex(): PathIndex {
  return { exact: new Map(), root: createNode(null), texts: new Map(), textLengths: [] };
}

function createNode(parent: PrefixNode | null): PrefixNode {
  return { parent, children: new Map(), candidates: [] };
}

/** Whether nothing was added yet. */
export function isEmpty({ exact, root, texts }: PathIndex): boolean {
  return exact.size + texts.size + root.children.size + root.candidates.length === 0;
}

/** Adds a path: the whole path, a prefix of whole segments, or how its text begins. */
export function add(
  index: PathIndex,
  kind: "exact" | "prefix" | "text-prefix",
  path: string,
  position: number,
): void {
  switch (kind) {
    case "exact":
      listAt(index.exact, path).push(position);
      return;
    case "prefix":
      nodeAt(index.root, path).candidates.push(position);
      return;
    case "text-prefix":
      listAt(index.texts, path).push(position);
      if (index.textLengths.includes(path.length)) return;
      index.textLengths.push(path.length);
      index.textLengths.sort((a, b) => b - a);
  }
}

function listAt(lists: Map<string, number[]>, path: string): number[] {
  const known = lists.get(path);
  if (known !== undefined) return known;
  const created: number[] = [];
  lists.set(path, created);
  return created;
}

function nodeAt(root: PrefixNode, prefix: string): PrefixNode {
  let node = root;
  for (const segment of prefix.split("/")) {
    if (segment === "") continue;
    const child = node.children.get(segment) ?? createNode(node);
    node.children.set(segment, child);
    node = child;
  }
  return node;
}

const NONE: readonly number[] = [];

/** The numbers of a whole path. */
export function exactly(index: PathIndex, path: string): readonly number[] {
  return index.exact.get(path) ?? NONE;
}

/** The numbers of a text with which paths begin. */
export function startingWith(index: PathIndex, text: string): readonly number[] {
  return index.texts.get(text) ?? NONE;
}

/** The node of the longest prefix; the shorter ones are its parents. */
export function longestPrefix({ root }: PathIndex, path: string): PrefixNode {
  let node = root;
  for (let from = 1; from < path.length;) {
    const slash = path.indexOf("/", from);
    const end = slash === -1 ? path.length : slash;
    const child = node.children.get(path.slice(from, end));
    if (child === undefined) return node;
    node = child;
    from = end + 1;
  }
  return node;
}
