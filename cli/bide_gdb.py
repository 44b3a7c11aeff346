"""Tasks of bide's in gdb, of programs that run and of cores: bide tasks, bide bt N, bide why N.

    bide gdb PID      bide gdb PROGRAM CORE      (gdb) source bide_gdb.py

Everything is read by `bide_debug` (src/core/debug.h), so the library needs no debug information.
A backtrace of a task that waits is made by an unwinder: no register is written, so it works in
cores as well.
"""
import struct

import gdb
from gdb.unwinder import Unwinder

MAX_LOOPS = 4096
MAX_CHUNKS = 1 << 16
MAX_CHUNK_TASKS = 4096
MAX_CHAIN = 64
MAX_FRAMES = 200
STATES = ("queued", "started", "ended")
HOLDER_AT, HOLDER_BEHIND, HOLDER_IS = 1, 2, 3


class Unusable(Exception):
    """Why there are no tasks to be seen."""


class Memory:
    """The memory of the program, by the names of bide_debug."""

    def __init__(self):
        try:
            base = int(gdb.parse_and_eval("(unsigned long)&bide_debug"))
            names = int(gdb.parse_and_eval("(unsigned long)&bide_debug_names"))
        except gdb.error as error:
            raise Unusable("there is no bide_debug: this is no program of bide's, or its symbols "
                           "were stripped") from error
        head = self.bytes(base, 24)
        version, offsets, sizes, numbers = struct.unpack("<4I", head[8:24])
        if head[:8] != b"bideSEE\0":
            raise Unusable("bide_debug was overwritten, or this core is not of this program")
        if version != 1:
            raise Unusable(f"the program has another version of bide (layout {version}; this "
                           "script knows 1)")
        words = self.text(names, 8192).split()
        if offsets + sizes + numbers != len(words):
            raise Unusable("bide_debug was overwritten")
        self.runtime, self.kind_task, self.kind_group = self.words(base + 24, 3)
        values = struct.unpack(f"<{len(words)}I", self.bytes(base + 48, 4 * len(words)))
        self.offset = dict(zip(words[:offsets], values))
        self.size = dict(zip(words[offsets:offsets + sizes], values[offsets:]))
        self.number = dict(zip(words[offsets + sizes:], values[offsets + sizes:]))

    @staticmethod
    def bytes(address, size):
        """Raises gdb.MemoryError for what is not there."""
        return bytes(gdb.selected_inferior().read_memory(address & (2 ** 64 - 1), size))

    def words(self, address, count):
        """So many words of eight bytes."""
        return struct.unpack(f"<{count}Q", self.bytes(address, 8 * count))

    def text(self, address, most=200):
        """A text, or as much of it as there is; "" for NULL."""
        if not address:
            return ""
        whole = b""
        while len(whole) < most:
            step = min(64 - address % 64, most - len(whole))
            try:
                whole += self.bytes(address, step)
            except gdb.MemoryError:
                break
            address += step
            if b"\0" in whole:
                break
        text = whole.split(b"\0")[0].decode("utf-8", "replace")
        return "".join(one if one.isprintable() else "?" for one in text)

    def member(self, base, name, kind="Q"):
        """A member of a struct."""
        size = struct.calcsize("<" + kind)
        return struct.unpack("<" + kind, self.bytes(base + self.offset[name], size))[0]

    def site(self, address):
        """A place as file:line."""
        if not address:
            return ""
        try:
            name = self.text(self.member(address, "site_file")).rsplit("/", 1)[-1]
            return f"{name}:{self.member(address, 'site_line', 'i')}"
        except gdb.MemoryError:
            return "?"


class Task:
    """A record, as far as it can be read."""

    def __init__(self, memory, address, loop):
        self.memory, self.address, self.loop = memory, address, loop
        self.id = memory.member(address, "task_id")
        self.state = memory.member(address, "task_state", "B")
        self.wait = memory.member(address, "task_wait")
        self.sp = memory.member(address, "task_sp")
        self.stack = memory.member(address, "task_stack")
        self.at = memory.site(memory.member(address, "task_at"))
        task_object = address + memory.offset["task_object"]
        self.name = memory.text(memory.member(task_object, "object_name"))
        self.made = memory.site(memory.member(task_object, "object_made"))

    def __str__(self):
        where = f" (loop {self.loop.index})" if self.loop.of > 1 else ""
        return f"#{self.id} {self.name}{where}"

    def doing(self):
        """What it waits for, or its state."""
        if not self.wait:
            if self.state == 1:
                return "running" if self.loop.running == self.id else "ready"
            return STATES[self.state]
        memory = self.memory
        try:
            waited = memory.member(self.wait, "wait_object")
            kind = memory.member(waited, "object_kind")
            noun = memory.text(memory.member(kind, "kind_noun"))
            words = [memory.text(memory.member(kind, "kind_verb"))]
            name = memory.text(memory.member(waited, "object_name"))
            made = memory.site(memory.member(waited, "object_made"))
        except gdb.MemoryError:
            return "waits, but what for cannot be read"
        if noun and name:
            words.append(f"{noun} '{name}'")
        elif noun:
            words.append(f"the {noun} of {made}" if made else f"a {noun}")
        return " ".join(words)

    def holder(self):
        """The address of the record of who has what it waits for; 0: not known."""
        memory = self.memory
        if not self.wait:
            return 0
        try:
            waited = memory.member(self.wait, "wait_object")
            kind = memory.member(waited, "object_kind")
            way = memory.member(kind, "kind_way", "H")
            place = waited + memory.member(kind, "kind_from_object", "h")
            if way == HOLDER_IS:
                return place
            if way == HOLDER_AT:
                return memory.words(place, 1)[0]
            if way == HOLDER_BEHIND:
                behind = memory.words(place, 1)[0] + memory.member(kind, "kind_then", "h")
                return memory.words(behind, 1)[0]
        except gdb.MemoryError:
            pass
        return 0


class Loop:
    """One loop and its tasks."""

    def __init__(self, memory, address, of):
        self.memory, self.address, self.of = memory, address, of
        self.index = memory.member(address, "loop_index", "i")
        self.tid = memory.member(address, "loop_tid", "i")
        self.running = self.find_running()

    def find_running(self):
        """The id of the task that runs: the one that was resumed last. 0: none."""
        memory = self.memory
        slices = memory.member(self.address, "loop_slices")
        if memory.member(self.address, "loop_polling", "I") or not slices:
            return 0
        place = (slices - 1) & (memory.number["ring_resumes"] - 1)
        ring = self.address + memory.offset["loop_ring"] + 16 * place
        return struct.unpack("<I", memory.bytes(ring + 8, 4))[0]

    def tasks(self):
        """Every record that is a task's; what cannot be read is left out."""
        memory = self.memory
        chunk = memory.member(self.address, "loop_chunks")
        count = memory.member(self.address, "loop_chunk_tasks", "I")
        fresh = range(memory.member(self.address, "loop_fresh"),
                      memory.member(self.address, "loop_fresh_end"))
        seen = set()
        while chunk and chunk not in seen and len(seen) < MAX_CHUNKS and count <= MAX_CHUNK_TASKS:
            seen.add(chunk)
            try:
                following = memory.words(chunk, 1)[0]
            except gdb.MemoryError:
                print(f"bide: records at {chunk:#x} cannot be read")
                return
            for i in range(count):
                record = chunk + memory.number["chunk_head"] + i * memory.size["task"]
                if record in fresh:
                    continue
                try:
                    if self.is_task(record):
                        yield Task(memory, record, self)
                except gdb.MemoryError:
                    continue
            chunk = following

    def is_task(self, record):
        """By what every record has."""
        memory = self.memory
        task_object = record + memory.offset["task_object"]
        return (memory.member(record, "task_id") != 0
                and memory.member(record, "task_loop") == self.address
                and memory.member(record, "task_state", "B") < len(STATES)
                and memory.member(task_object, "object_kind") == memory.kind_task)


def all_loops():
    """The loops of the program."""
    memory = Memory()
    try:
        runtime = memory.words(memory.runtime, 1)[0]
        if not runtime:
            raise Unusable("no bide_run runs")
        count = memory.member(runtime, "runtime_loop_count", "i")
        if not 0 < count <= MAX_LOOPS:
            raise Unusable("its loops cannot be found: its memory was overwritten")
        addresses = memory.words(memory.member(runtime, "runtime_loops"), count)
        return [Loop(memory, address, count) for address in addresses if address]
    except gdb.MemoryError as error:
        raise Unusable(f"its loops cannot be read: {error}") from error


def all_tasks():
    """The tasks of all loops."""
    return [task for loop in all_loops() for task in loop.tasks()]


def tasks_named(word):
    """Those with an id; `LOOP.ID` where there are several loops."""
    loop, _, number = word.rpartition(".")
    try:
        wanted, of = int(number.lstrip("#")), int(loop) if loop else None
    except ValueError as error:
        raise Unusable(f"'{word}' is no task: name one by its id, as `bide tasks` shows it") \
            from error
    found = [task for task in all_tasks()
             if task.id == wanted and of in (None, task.loop.index)]
    if not found:
        raise Unusable(f"there is no task #{wanted}")
    return found


# ---- backtraces ----

class FrameId:
    """Of the frame that stands for the switch: below all frames of the task."""

    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


def pointer_to(value, kind):
    """A number as a value of gdb's."""
    return gdb.Value(value).cast(gdb.lookup_type(kind).pointer())


class TaskUnwinder(Unwinder):
    """While `task` is set, the frame of the thread continues in the frames of that task."""

    def __init__(self):
        super().__init__("bide task")
        self.registers = None
        self.sp = self.top_sp = 0

    def __call__(self, pending):
        if not self.registers:
            return None
        sp = int(pending.read_register("sp")) & (2 ** 64 - 1)
        if sp != self.top_sp:
            return None
        info = pending.create_unwind_info(
            FrameId(pointer_to(self.sp - 64, "char"), pointer_to(self.registers["pc"], "char")))
        for name, value in self.registers.items():
            real = {"pc": "rip", "sp": "rsp"}.get(name, name) if "rbp" in self.registers else name
            sort = "void" if name in ("pc", "sp") else None
            number = gdb.Value(value)
            info.add_saved_register(real, number.cast(gdb.lookup_type(sort).pointer()) if sort
                                    else number.cast(gdb.lookup_type("long")))
        return info


UNWINDER = TaskUnwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


def saved_registers(task):
    """What a task that does not run goes on with; core/context.h has the frame."""
    memory = task.memory
    machine = gdb.selected_frame().architecture().name()
    if "x86-64" in machine:
        pc, rbx, rbp = memory.words(task.sp, 3)
        where = gdb.execute(f"info symbol {pc:#x}", to_string=True)
        if where.startswith(("bide__park", "bide__context_start")):
            return {"pc": pc, "sp": task.sp + 8, "rbp": rbp, "rbx": rbx}
        return {"pc": pc, "sp": task.sp + 24, "rbp": rbp, "rbx": rbx}
    if "aarch64" in machine:
        saved = memory.words(task.sp, 12)
        registers = {f"x{19 + i}": saved[i] for i in range(12)}
        return {**registers, "pc": saved[11], "sp": task.sp + 160}
    raise Unusable(f"no backtraces on {machine}")


def print_frame(number, frame):
    """One line, as gdb's own."""
    name = frame.name() or "??"
    arguments = []
    try:
        block = frame.block()
        while block and not block.function:
            block = block.superblock
        for symbol in block or ():
            if symbol.is_argument:
                arguments.append(f"{symbol.name}={symbol.value(frame)}")
    except (RuntimeError, gdb.error):
        pass
    place = frame.find_sal()
    where = f" at {place.symtab.filename}:{place.line}" if place.symtab else ""
    print(f"  #{number:<2} {name} ({', '.join(arguments)}){where}")


def print_frames(frame):
    """From there to where the task began."""
    for number in range(MAX_FRAMES):
        if not frame or frame.name() in ("bide__task_run", "bide__context_start"):
            return
        print_frame(number, frame)
        frame = frame.older()


def thread_of(loop):
    """The thread of a loop."""
    for thread in gdb.selected_inferior().threads():
        if thread.ptid[1] == loop.tid:
            return thread
    raise Unusable(f"loop {loop.index} has no thread here")


def print_backtrace(task):
    """Its frames; for the one that runs those of its thread."""
    print(f"{task}  {task.doing()}" + (f"  at {task.at}" if task.at else ""))
    if task.state != 1 or not task.stack:
        print("  it has no stack")
        return
    before = gdb.selected_thread()
    if task.loop.running == task.id and not task.wait:
        thread_of(task.loop).switch()
        print_frames(gdb.newest_frame())
        before.switch()
        return
    try:
        low = task.memory.member(task.stack, "stack_low")
        high = task.memory.member(task.stack, "stack_high")
        if not low and not high:
            raise Unusable("its stack is not in this core (gdb's own gcore leaves stacks with "
                           "guards out; the kernel's cores have them)")
        if not low <= task.sp < high:
            raise Unusable("its stack pointer is not in its stack: the record was overwritten")
        registers = saved_registers(task)
        UNWINDER.top_sp = int(gdb.newest_frame().read_register("sp")) & (2 ** 64 - 1)
        UNWINDER.sp, UNWINDER.registers = task.sp, registers
        gdb.invalidate_cached_frames()
        frame = gdb.newest_frame()  # of the thread, with all that is inlined into it
        while frame.type() == gdb.INLINE_FRAME:
            frame = frame.older()
        print_frames(frame.older())
    except (gdb.MemoryError, Unusable) as error:
        print(f"  {error}")
    finally:
        UNWINDER.registers = None
        gdb.invalidate_cached_frames()


# ---- commands ----

class Command(gdb.Command):
    """A command that says what is wrong in one line."""

    def __init__(self, name, **options):
        self.__doc__ = type(self).__doc__
        super().__init__(name, gdb.COMMAND_STACK, **options)

    def invoke(self, argument, _from_tty):
        """Called by gdb."""
        self.dont_repeat()
        try:
            self.run(argument.strip())
        except Unusable as error:
            raise gdb.GdbError(f"bide: {error}")
        except gdb.MemoryError as error:
            raise gdb.GdbError(f"bide: {error}: its memory was overwritten, or is not in the core")

    def run(self, argument):
        """What it does."""


class Bide(Command):
    """Tasks of bide's: bide tasks, bide bt N|all, bide why N."""

    def run(self, argument):
        print("bide tasks | bide bt N|all | bide why N")


class Tasks(Command):
    """bide tasks: each task with what it waits for."""

    def run(self, argument):
        tasks = all_tasks()
        rows = [(str(task), task.doing(), task.at, task.made and f"spawned {task.made}")
                for task in tasks]
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(4)]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        print(f"{len(rows)} task{'' if len(rows) == 1 else 's'}")


class Backtrace(Command):
    """bide bt N|LOOP.N|all: the frames of a task, or of each."""

    def run(self, argument):
        for task in all_tasks() if argument == "all" else tasks_named(argument):
            print_backtrace(task)


class Why(Command):
    """bide why N|LOOP.N: what a task waits for, who has that, what that one waits for ..."""

    def run(self, argument):
        by_address = {task.address: task for task in all_tasks()}
        for task in tasks_named(argument):
            seen = set()
            while task and task.address not in seen and len(seen) < MAX_CHAIN:
                seen.add(task.address)
                print(f"{task}  {task.doing()}" + (f"  at {task.at}" if task.at else ""))
                task = by_address.get(task.holder())
                if task:
                    print("  which has")
            if task:
                print(f"{task}  again: a circle, they wait for ever")


Bide("bide", prefix=True)
Tasks("bide tasks")
Backtrace("bide bt")
Why("bide why")
