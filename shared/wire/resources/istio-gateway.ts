/**
 * Istio's Gateway, as far as it can be translated without a change of
 * meaning. What cannot is refused here, at its field. Stored as
 * `IstioGateway`, since Gateway API's has the same kind.
 *
 * @module
 */
import { z } from "zod";
import { inert, labels, notYet, port } from "./fields.ts";

const host = z
  .string()
  .max(317)
  .regex(
    /^((\.|\*|[a-z0-9-]+)\/)?(\*|(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)$/,
    "write a host name such as *.example.com, with [NAMESPACE/] before it",
  );

const server = z.strictObject({
  port: z.strictObject({
    number: port,
    name: z.string().max(63).default(""),
    protocol: z
      .string()
      .transform((text) => text.toUpperCase())
      .pipe(
        z.enum(["HTTP", "HTTPS", "HTTP2", "GRPC"], {
          error: "must be HTTP, HTTPS, HTTP2 or GRPC; others are not supported yet",
        }),
      ),
    targetPort: port.optional(),
  }),
  name: z.string().max(63).default(""),
  bind: z.string().optional(),
  hosts: z.array(host).min(1).max(64),
  tls: z
    .strictObject({
      httpsRedirect: z
        .literal(false, { error: "not supported yet: write an HTTPRoute with a RequestRedirect" })
        .optional(),
      mode: z
        .enum(["SIMPLE", "ISTIO_MUTUAL"], {
          error: "must be SIMPLE or ISTIO_MUTUAL: the platform ends TLS and owns the certificates",
        })
        .default("SIMPLE"),
      credentialName: inert,
      credentialNames: inert,
      serverCertificate: inert,
      privateKey: inert,
      tlsCertificates: inert,
      minProtocolVersion: inert,
      maxProtocolVersion: inert,
      cipherSuites: inert,
      caCertificates: notYet("client certificates"),
      caCertCredentialName: notYet("client certificates"),
      subjectAltNames: notYet("client certificates"),
      verifyCertificateSpki: notYet("client certificates"),
      verifyCertificateHash: notYet("client certificates"),
    })
    .optional(),
  defaultEndpoint: notYet("defaultEndpoint"),
});

/** The doors through which calls enter; which proxy opens them means nothing here. */
export const istioGatewaySpec = z.strictObject({
  selector: labels.default({}),
  servers: z.array(server).min(1).max(64),
});

export type IstioGatewaySpec = z.output<typeof istioGatewaySpec>;
