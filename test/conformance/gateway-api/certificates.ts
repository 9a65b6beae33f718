/**
 * What the suite makes by program before its tests: certificates in Secrets
 * and authorities in ConfigMaps. The mesh looks at their form only.
 */
const INFRA = "gateway-conformance-infra";
const WEB = "gateway-conformance-web-backend";

function pem(label: string): string {
  return `-----BEGIN ${label}-----\nMIIB\n-----END ${label}-----\n`;
}

function secret(namespace: string, name: string): unknown {
  const stringData = { "tls.crt": pem("CERTIFICATE"), "tls.key": pem("PRIVATE KEY") };
  return { apiVersion: "v1", kind: "Secret", metadata: { namespace, name }, stringData };
}

function authority(namespace: string, name: string): unknown {
  const data = { "ca.crt": pem("CERTIFICATE") };
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data };
}

/** The documents, by the names that the suite gives them. */
export const CERTIFICATES: readonly unknown[] = [
  secret(WEB, "certificate"),
  secret(INFRA, "tls-validity-checks-certificate"),
  secret(INFRA, "tls-terminate-checks-certificate"),
  secret(INFRA, "tls-passthrough-checks-certificate"),
  secret(INFRA, "tls-checks-certificate"),
  secret(INFRA, "tls-checks-client-certificate"),
  authority(INFRA, "tls-validity-checks-ca-certificate"),
  authority(INFRA, "tls-checks-ca-certificate"),
  authority(INFRA, "mismatch-ca-certificate"),
  authority(WEB, "web-backend-cm"),
];
