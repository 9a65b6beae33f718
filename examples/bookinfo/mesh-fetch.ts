/** Calls a service of the mesh by its name: `ctx.mesh.fetch` of the library. */
export type MeshFetch = (url: string, init?: RequestInit) => Promise<Response>;
