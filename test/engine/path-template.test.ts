import { expect, test } from "vitest";
import { matchesTemplate, parseTemplate } from "../../shared/engine/path-template.ts";

test.each<[string, readonly string[], readonly string[]]>([
  ["/{*}", ["/a", "/%20"], ["/", "/a/", "/a/b"]],
  ["/a/{*}", ["/a/b"], ["/a", "/a/", "/a/b/c", "/b/a"]],
  ["/a/{*}/", ["/a/b/"], ["/a/b", "/a//"]],
  ["/{*}/b", ["/a/b"], ["/b", "/a/b/b", "/a/c"]],
  ["/{**}", ["/", "/a", "/a/b", "/a/"], []],
  ["/a/{**}", ["/a/", "/a/b", "/a/b/c"], ["/a", "/ab", "/"]],
  ["/a/{**}/b", ["/a/x/b", "/a/x/y/b", "/a//b", "/a/b/b"], ["/a/b", "/a/xb", "/a/x/bb", "/a/x/b/"]],
  ["/{**}/b", ["/a/b", "//b"], ["/b", "/ab"]],
  ["/{*}/x/{**}/b", ["/a/x/y/b"], ["/a/x/b", "/x/y/b", "/a/y/x/z/b"]],
  ["/a/b", ["/a/b"], ["/a/bc", "/a/b/", "/a"]],
])("%s", (text, matching, others) => {
  const template = parseTemplate(text);
  const meets = (path: string) => template !== null && matchesTemplate(template, path);
  expect([matching.filter(meets), others.filter(meets)]).toEqual([matching, []]);
});

test.each(["", "a/{*}", "/{a}", "/a{*}", "/{*}a", "/*", "/{**}/{*}", "/{**}/{**}", "/{***}", "/a}/{*}"])(
  "%j is no template",
  (text) => {
    expect(parseTemplate(text)).toBeNull();
  },
);
