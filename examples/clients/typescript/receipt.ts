// From an agent's work to a receipt that anyone can verify, with types generated from the service's description.
//
//     npx tsc && DEFENDABLE_API=http://127.0.0.1:8080 DEFENDABLE_TOKEN=sk-… node receipt.js FOLDER
//
// FOLDER holds the work: `pass.run.json`, what the agent was given, and `pass.json`, what it made of it. Whoever the
// token belongs to also grades and approves here, to show all steps; in earnest these are a person's. The exit code is
// 0 only when the receipt verifies.

import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./defendable.js";

type Problem = components["schemas"]["Problem"];
type Receipt = components["schemas"]["Receipt"];
type Given = { inputs: Record<string, unknown>; evidence: { label: string; content: string }[] };

/** The answer; a refusal is thrown with its reason. */
function done<Answer>({ data, error }: { data?: Answer; error?: Problem }): Answer {
  if (data === undefined) throw new Error(error ? `refused: ${error.code}: ${error.detail}` : "refused");
  return data;
}

/** Takes the work through audit, grading and approval to its receipt. */
async function sealed(client: Client<paths>, given: Given, work: Record<string, unknown>): Promise<Receipt> {
  const project = done(await client.POST("/projects", { body: { name: "Privacy review, from TypeScript" } }));
  const opened = await client.POST("/runs", {
    body: {
      project_id: project.id,
      flight_sheet_id: "comp_data_privacy_gdpr_v1",
      title: "Privacy notice, from TypeScript",
      inputs: given.inputs,
    },
    // With a key of its own, a request that is sent again after a broken connection opens no second run.
    params: { header: { "Idempotency-Key": randomUUID() } },
  });
  const run_id = done(opened).id;
  const params = { path: { run_id } };

  for (const { label, content } of given.evidence) {
    done(await client.POST("/runs/{run_id}/evidence", { params, body: { kind: "note", label, content } }));
  }
  done(await client.POST("/runs/{run_id}/submission", { params, body: work }));

  const audit = done(await client.POST("/runs/{run_id}/audit", { params }));
  for (const check of audit.checks.filter((check) => check.status === "open")) {
    const graded = await client.PATCH("/runs/{run_id}/checks/{check_id}", {
      params: { path: { run_id, check_id: check.id } },
      body: { status: "pass", detail: "read against the notice" },
    });
    done(graded);
  }
  const verdict = done(await client.POST("/runs/{run_id}/findings", { params }));
  console.log(`verdict: ${verdict.outcome}, ${verdict.summary}`);

  done(await client.POST("/runs/{run_id}/approve", { params, body: { decision: "approved", note: "ship it" } }));
  return done(await client.POST("/runs/{run_id}/receipt", { params }));
}

/** RFC 8785, for what a receipt holds: members sorted by name, no white space. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(",")}}`;
}

/** Whether the receipt, fetched without an account, is the one that was minted: its digest is computed here. */
async function verifies(receipt: Receipt, anybody: Client<paths>): Promise<boolean> {
  const shared = done(await anybody.GET("/share/{token}", { params: { path: { token: receipt.share_token } } }));
  const digest = createHash("sha256").update(canonical(shared.payload)).digest("hex");
  console.log(`computed: ${digest}\nminted:   ${receipt.receipt_sha256}`);
  return digest === receipt.receipt_sha256 && shared.verified && shared.chain_consistent;
}

const { DEFENDABLE_API: baseUrl = "http://127.0.0.1:8080", DEFENDABLE_TOKEN: token } = process.env;
const read = (name: string) => JSON.parse(readFileSync(join(process.argv[2] ?? ".", name), "utf8"));
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
const receipt = await sealed(client, read("pass.run.json"), read("pass.json"));
if (!(await verifies(receipt, createClient<paths>({ baseUrl })))) {
  throw new Error(`${receipt.share_url} does not verify`);
}
console.log(`verified: ${receipt.share_url}`);
