#!/usr/bin/env python3
"""The driver is killed between any two steps: never more than one deal for an intent, and none lost.

usage: test_kills.py [--random N]    N kills at random moments, instead of one at each named point
"""
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import deal_case  # noqa: E402
import harness  # noqa: E402

PROPOSE = ("propose", "--live", "--network", "devnet")
RECONCILE = ("reconcile", "--network", "devnet")
TRACK = ("track",)
RANDOM_KILLS = 0
UPLOADS = {"deal.before_data", "deal.after_data"}  # see test_send_data.py


def kill_points():
    names = set()
    for path in (harness.ROOT / "tools/deal").glob("*.cc"):
        names.update(re.findall(r'kill_point\("([\w.]+)"\)', path.read_text()))
    return sorted(names - UPLOADS)


class Kills(deal_case.Case):
    def settle(self):
        """Runs until everything that was intended has been taken, whatever it takes."""
        for _ in range(12):
            self.propose(code=None)
            finished = self.reconcile(code=None)
            states = {row["attempt"] for row in self.exported()}
            if finished.code == 0 and states == {"accepted"}:
                return
        # Curio's MK12 does not tell an unknown deal from one that it has: then the chain does.

    def check_whole(self, count):
        self.check_one_deal_each(count)
        self.live_through()
        self.track()
        self.assertEqual({state for _, state in self.attempts().values()}, {"active"})
        self.assertEqual(self.deal_json("plan")["placements"], [])
        self.assertEqual(self.deal_json("repair")["placements"], [])

    def test_between_any_two_steps(self):
        if RANDOM_KILLS:
            self.skipTest("random kills were asked for")
        points = kill_points()
        self.assertGreaterEqual(len(points), 7)
        self.make_pieces(2)
        for point in points:
            for which in (1, 3):
                with self.subTest(point=point, which=which):
                    self.start_over()
                    if point == "deal.after_status":
                        self.propose(kill="deal.before_submit:1", code=deal_case.KILLED)
                        self.reconcile(kill=f"{point}:1", code=deal_case.KILLED)
                    else:
                        self.propose(kill=f"{point}:{which}", code=deal_case.KILLED)
                    self.settle()
                    self.check_whole(4)

    def test_what_may_have_been_sent_is_not_signed_anew(self):
        """A driver that died around the sending comes back when the start is too near to be sealed."""
        if RANDOM_KILLS:
            self.skipTest("random kills were asked for")
        self.make_pieces(1)
        for point in kill_points():
            for number in (1000, 1002):
                with self.subTest(point=point, number=number):
                    self.start_over(copies=1, only=(number,))
                    self.chain.head = 100_000
                    self.propose(kill=f"{point}:1", code=None)
                    taken = len(self.provider_deals())
                    was_sent = taken > 0 or point == "deal.before_submit"
                    self.chain.advance(deal_case.START_DELAY - 900)
                    for _ in range(3):
                        self.propose(code=None)
                        self.reconcile(code=None)
                    self.assertEqual(len(self.provider_deals()), taken if was_sent else 1)
                    self.assertEqual(len(self.exported()), 2 if point == "deal.after_store" else 1)

    def test_caps_hold_when_it_dies(self):
        if RANDOM_KILLS:
            self.skipTest("random kills were asked for")
        self.make_pieces(4)
        price = 1_000_000
        cost = -(-price * 2048 // 2**30) * deal_case.DURATION
        for point in kill_points():
            with self.subTest(point=point):
                self.start_over(copies=1, only=(1000,), price=price, deal_cap=cost, day_cap=3 * cost,
                                campaign_cap=3 * cost)
                self.propose(kill="deal.before_submit:1", code=deal_case.KILLED)
                for command in (self.reconcile, self.propose, self.propose):
                    command(kill=f"{point}:1", code=None)
                self.reconcile(code=None)
                self.propose(code=78)
                self.check_one_deal_each(3)

    def start_over(self, **policy):
        for provider in self.providers.values():
            provider.deals.clear()
        self.catalogue.unlink(missing_ok=True)
        self.check(harness.run("merge", "--out", self.temp / "out", "--catalogue", self.catalogue), 0)
        self.write_policy(**(policy or {"copies": 2}))
        self.deal("plan", "--record")

    def test_at_random(self):
        if not RANDOM_KILLS:
            self.skipTest("--random")
        chance = random.Random(20261127)
        pieces = self.make_pieces(20)
        kills = 0
        while kills < RANDOM_KILLS:
            self.start_over()
            is_proposed = False
            while not is_proposed and kills < RANDOM_KILLS:
                # Now and then a provider takes a deal, or does not, and nobody learns it.
                for provider in self.providers.values():
                    if chance.random() < 0.2:
                        provider.inject(chance.choice(("503", "503_after", "reset_after", "garbage_after")), "POST")
                command = chance.choice((PROPOSE, PROPOSE, PROPOSE, RECONCILE, TRACK))
                process = subprocess.Popen([harness.BINARY, "deal", *command, "--catalogue", self.catalogue, "--policy",
                                            self.policy], env={"PIECEWORK_NOW": str(self.chain.now())},
                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(chance.uniform(0.01, 0.6))
                process.send_signal(signal.SIGKILL)
                kills += process.wait() == -signal.SIGKILL
                is_proposed = command == PROPOSE and process.returncode == 0
            for provider in self.providers.values():
                provider.faults.clear()
            self.settle()
            self.check_whole(2 * len(pieces))
            print(f"{kills} kills, {2 * len(pieces)} deals each time", flush=True)

    def test_two_at_once(self):
        """The second one waits for the lease; together they make what one would."""
        self.make_pieces(6)
        self.start_over()
        command = [harness.BINARY, "deal", "propose", "--live", "--network", "devnet", "--catalogue", self.catalogue,
                   "--policy", self.policy]
        running = [subprocess.Popen(command, env={"PIECEWORK_NOW": str(self.chain.now())}, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE) for _ in range(3)]
        codes = sorted(process.wait() for process in running)
        for process in running:
            process.stdout.close()
            process.stderr.close()
        self.assertLessEqual(set(codes), {0, 75})
        self.assertIn(0, codes)
        self.settle()
        self.check_whole(12)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--random"]:
        RANDOM_KILLS = int(sys.argv[2])
        del sys.argv[1:3]
    harness.main()
