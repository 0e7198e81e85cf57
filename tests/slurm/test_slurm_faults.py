"""What clusters do to jobs, each done to a training run in the middle: the study ends the same.

Every fault meets a run that hangs with some epochs on disk. The study must then end well without a
hand on it, the run must have gone on from those epochs, and the table must be the undisturbed one
to the last byte.
"""

import signal

import pytest

from support.slurm_clone import wait_for

PLAIN = "train:slurm_partition=cpu"
"""Faults strike side by side; where GPUs are not what is tried, they need not queue for them."""


def unchanged(clone, undisturbed, fusion, epochs):
    """The table is the undisturbed one, though the run was cut after `epochs` and went on."""
    assert epochs <= clone.resumed(fusion) < 150
    assert clone.table() == undisturbed.table()


def test_a_job_that_runs_out_of_time_gets_more_and_goes_on(clone, undisturbed):
    head = clone.head("--set-resources", PLAIN, "train:runtime=60 * attempt")
    hung = clone.stop_training("ca")
    clone.call("scontrol", "update", f"JobId={hung.job}", "TimeLimit=1")
    said = clone.finish(head)
    states = clone.jobs("train_wildcards_demo_ca")
    assert states.pop(hung.job) == "TIMEOUT"
    assert list(states.values()) == ["COMPLETED"]
    assert "runtime=120" in said
    unchanged(clone, undisturbed, "ca", hung.epochs)


@pytest.mark.long
def test_a_cancelled_job_and_one_over_its_memory_go_on(clone, undisturbed):
    """Cancelled in the middle; the second try gets too little memory, the third enough."""
    scant = "train:mem_mb=3000 if attempt != 2 else 600"
    head = clone.head("--set-resources", PLAIN, scant)
    hung = clone.stop_training("concat")
    clone.call("scancel", hung.job)
    said = clone.finish(head)
    states = clone.jobs("train_wildcards_demo_concat")
    assert states.pop(hung.job) == "CANCELLED"
    assert sorted(states.values()) == ["COMPLETED", "FAILED"]
    (short,) = [number for number, state in states.items() if state == "FAILED"]
    log = clone.folder / f".snakemake/slurm_logs/rule_train/demo_concat/{short}.log"
    assert "exceeded memory limit" in log.read_text()
    assert "mem_mb=600" in said
    unchanged(clone, undisturbed, "concat", hung.epochs)


@pytest.mark.long
def test_a_job_on_a_node_that_is_drained_and_lost_goes_on_elsewhere(clone, undisturbed):
    head = clone.head("--set-resources", "train:slurm_partition=spare")
    hung = clone.stop_training("ca")
    node = clone.node(hung.job)
    try:
        clone.call("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")
        assert clone.jobs("train_")[hung.job] == "RUNNING", "a drained node ends what it has"
        clone.call("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
        clone.finish(head)
    finally:
        clone.call("scontrol", "update", f"NodeName={node}", "State=RESUME")
    assert clone.jobs("train_wildcards_demo_ca") == {hung.job: "COMPLETED"}, "put back, not sent"
    assert clone.node(hung.job) != node
    unchanged(clone, undisturbed, "ca", hung.epochs)


@pytest.mark.long
def test_a_job_that_has_to_make_room_goes_on(clone, undisturbed):
    head = clone.head("--set-resources", "train:slurm_partition=low")
    hung = clone.stop_training("ca")
    clone.call("sbatch", "-p", "urgent", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 3")
    wait_for(lambda: clone.jobs("train_")[hung.job] == "PENDING", "the job to be put back")
    clone.finish(head)
    assert clone.jobs("train_wildcards_demo_ca") == {hung.job: "COMPLETED"}
    unchanged(clone, undisturbed, "ca", hung.epochs)


@pytest.mark.long
def test_a_study_whose_head_was_killed_goes_on_when_given_again(clone, undisturbed):
    head = clone.head("--set-resources", PLAIN)
    hung = clone.stop_training("concat")
    head.send_signal(signal.SIGKILL)
    head.wait()
    again = clone.head("--set-resources", PLAIN)
    assert again.wait(600) == 1
    assert "--unlock" in clone.said.read_text(), (
        "a second head must not run next to the first's jobs"
    )
    printed = clone.call("make", "-o", "env", "unlock")
    assert hung.job in printed
    assert clone.jobs("train_")[hung.job] == "CANCELLED"
    clone.finish(clone.head("--set-resources", PLAIN))
    unchanged(clone, undisturbed, "concat", hung.epochs)
