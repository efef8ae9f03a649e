"""From an agent's work to a receipt that anyone can verify, with the client generated from the service's description.

    DEFENDABLE_API=http://127.0.0.1:8080 DEFENDABLE_TOKEN=sk-… python receipt.py FOLDER

FOLDER holds the work: `pass.run.json`, what the agent was given, and `pass.json`, what it made of it. Whoever the token
belongs to also grades and approves here, to show all steps; in earnest these are a person's. The exit code is 0 only
when the receipt verifies.
"""

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from defendable_client import AuthenticatedClient, Client
from defendable_client.api.ledger import mint_receipt, show_shared_receipt
from defendable_client.api.runs import (
    approve_run,
    attach_evidence,
    audit_run,
    create_project,
    finalize_run,
    grade_check,
    open_run,
    submit_work,
)
from defendable_client.models import (
    ApprovalDecision,
    CheckStatus,
    Decision,
    EvidenceKind,
    Grade,
    GradeStatus,
    NewEvidence,
    NewProject,
    NewRunBody,
    NewRunBodyInputs,
    Problem,
    Receipt,
    SubmitWorkJsonBody,
)

Answer = TypeVar("Answer")


def done(answer: Answer | Problem | None) -> Answer:
    """The answer; a refusal ends the program with its reason."""
    if answer is None or isinstance(answer, Problem):
        sys.exit(f"refused: {answer.code.value}: {answer.detail}" if answer else "refused")
    return answer


def sealed(client: AuthenticatedClient, given: dict[str, Any], work: dict[str, Any]) -> Receipt:
    """Takes the work through audit, grading and approval to its receipt."""
    project = done(create_project.sync(client=client, body=NewProject(name="Privacy review, from Python")))
    new = NewRunBody(
        project_id=project.id,
        flight_sheet_id="comp_data_privacy_gdpr_v1",
        title="Privacy notice, from Python",
        inputs=NewRunBodyInputs.from_dict(given["inputs"]),
    )
    # With a key of its own, a request that is sent again after a broken connection opens no second run.
    run = done(open_run.sync(client=client, body=new, idempotency_key=str(uuid4()))).id

    for evidence in given["evidence"]:
        note = NewEvidence(kind=EvidenceKind.NOTE, label=evidence["label"], content=evidence["content"])
        done(attach_evidence.sync(run, client=client, body=note))
    done(submit_work.sync(run, client=client, body=SubmitWorkJsonBody.from_dict(work)))

    audit = done(audit_run.sync(run, client=client))
    for check in audit.checks:
        if check.status == CheckStatus.OPEN:
            grade = Grade(status=GradeStatus.PASS, detail="read against the notice")
            done(grade_check.sync(run, check.id, client=client, body=grade))
    verdict = done(finalize_run.sync(run, client=client))
    print(f"verdict: {verdict.outcome.value}, {verdict.summary}")

    done(approve_run.sync(run, client=client, body=Decision(decision=ApprovalDecision.APPROVED, note="ship it")))
    return done(mint_receipt.sync(run, client=client))


def verifies(receipt: Receipt, anybody: Client) -> bool:
    """Whether the receipt, fetched without an account, is the one that was minted: its digest is computed here."""
    shared = done(show_shared_receipt.sync(receipt.share_token, client=anybody))
    canonical = json.dumps(shared.payload, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    print(f"computed: {digest}\nminted:   {receipt.receipt_sha256}")
    return digest == receipt.receipt_sha256 and shared.verified and shared.chain_consistent


def main() -> int:
    api, folder = os.environ["DEFENDABLE_API"], Path(sys.argv[1])
    given, work = (json.loads((folder / name).read_text()) for name in ["pass.run.json", "pass.json"])
    client = AuthenticatedClient(base_url=api, token=os.environ["DEFENDABLE_TOKEN"], raise_on_unexpected_status=True)
    receipt = sealed(client, given, work)
    if not verifies(receipt, Client(base_url=api, raise_on_unexpected_status=True)):
        print(f"{receipt.share_url} does not verify", file=sys.stderr)
        return 1
    print(f"verified: {receipt.share_url}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
