/** The edge alone: its objects are those of the mesh's own Worker. */
export { default } from "../../../../workers/main.ts";
