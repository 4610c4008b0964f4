"""The one table of commands: it makes the bindings, the line of keys under each place, and the `?` panel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textual.binding import Binding, BindingType

from qtui.ui.command import MODAL, TYPED, URGENT, WITHIN, Command, Where

_C = Command
_W = Where
COMMANDS: tuple[Command, ...] = (
    _C("models.chat", "enter", "choose", "chat", _W.MODELS, "chat with it: put it on side A, load it, open the Arena"),
    _C("models.a", "a", "put('A')", "side A", _W.MODELS, "put it on side A, or take it off again"),
    _C("models.b", "b", "put('B')", "side B", _W.MODELS, "put it on side B, or take it off again"),
    _C("models.take", "t", "take", "take it", _W.MODELS, "take the suggestion: a plan that fits, or another variant"),
    _C("models.compare", "c", "compare", "compare", _W.MODELS, "compare it with the other variants of its model"),
    _C("models.ladder", "l", "ladder", "ladder", _W.MODELS, "what it needs at growing contexts, by cache type"),
    _C("models.advise", "V", "advise", "which?", _W.MODELS, "which variant of its model to take, and why"),
    _C("models.frontier", "F", "frontier", "", _W.MODELS, "what the variants of its model need against what they lose"),
    _C("models.details", "o", "details", "details", _W.MODELS, "what its header says"),
    _C("models.sort", "s", "sort", "sort", _W.MODELS, "sort by name, size, bits per weight, memory, rate in turn"),
    _C("models.filter", "slash", "filter", "filter", _W.MODELS, "show only rows that meet the words and terms typed"),
    _C("models.hub", "u", "repository", "", _W.MODELS, "the repository on the Hub that it came from"),
    _C("models.copy", "y", "copy", "", _W.MODELS, "copy the llama-server command that loads it as the plan says"),
    _C("models.verify", "v", "verify", "", _W.MODELS, "read its files and compare them with what they should be"),
    _C("models.quantise", "Q", "quantise", "", _W.MODELS, "make a quant of it; what each type would be, to the byte"),
    _C("models.measure", "M", "measure", "", _W.MODELS, "measure what the variants of its model lose"),
    _C("models.delete", "x", "delete", "", _W.MODELS, "delete it, after a look at what goes and what that frees"),
    _C("models.rescan", "R", "rescan", "rescan", _W.MODELS, "look for files again"),
    _C("models.down", "down,j", "cursor(1)", "", _W.MODELS, "next row (up, k: the one before)"),
    _C("models.up", "up,k", "cursor(-1)", "", _W.MODELS, "the row before"),
    _C("models.page_down", "pagedown", "page(1)", "", _W.MODELS, "a page down"),
    _C("models.page_up", "pageup", "page(-1)", "", _W.MODELS, "a page up"),
    _C("models.first", "g,home", "edge(-1)", "", _W.MODELS, "first row"),
    _C("models.last", "G,end", "edge(1)", "", _W.MODELS, "last row"),
    _C("models.back", "escape", "back", "", _W.MODELS, "clear the filter; stop choosing for a side"),
    _C("filter.done", "enter", "", "to the rows", _W.FILTER, "to the rows that are left", bound=False),
    _C("filter.down", "down", "leave_filter", "", _W.FILTER, "to the rows that are left"),
    _C("filter.clear", "escape", "clear_filter", "clear", _W.FILTER, "clear the filter"),
    _C("hub.open", "enter", "open", "open", _W.HUB, "its variants, what each needs here, and whether it fits"),
    _C("hub.search", "slash,i", "write", "search", _W.HUB, "to the search box"),
    _C("hub.card", "o", "card", "model card", _W.HUB, "the beginning of its model card"),
    _C("hub.sort", "s", "sort", "sort", _W.HUB, "by trending, downloads, likes, update, creation in turn"),
    _C("hub.down", "down,j", "cursor(1)", "", _W.HUB, "next repository (up, k: the one before)"),
    _C("hub.up", "up,k", "cursor(-1)", "", _W.HUB, "the repository before"),
    _C("hub.page_down", "pagedown", "page(1)", "", _W.HUB, "a page down"),
    _C("hub.page_up", "pageup", "page(-1)", "", _W.HUB, "a page up"),
    _C("hub.first", "g,home", "edge(-1)", "", _W.HUB, "first repository"),
    _C("hub.last", "G,end", "edge(1)", "", _W.HUB, "last repository; more are asked for"),
    _C("hub.back", "escape", "stop_search", "", _W.HUB, "stop searching"),
    _C("search.go", "enter", "", "search", _W.HUB_SEARCH, "search; owner/name opens that repository", bound=False),
    _C("search.down", "down", "leave_search", "results", _W.HUB_SEARCH, "to the results"),
    _C("search.stop", "escape", "stop_search", "stop", _W.HUB_SEARCH, "stop searching; once more: to the results"),
    _C("repository.get", "enter", "get", "get, chat", _W.REPOSITORY, "fetch it, once shown what it takes; here: chat"),
    _C("repository.a", "a", "put('A')", "side A", _W.REPOSITORY, "put it on side A, once it is here"),
    _C("repository.b", "b", "put('B')", "side B", _W.REPOSITORY, "put it on side B, once it is here"),
    _C("repository.take", "t", "take", "take it", _W.REPOSITORY, "take the offer: a plan, or the variant that fits"),
    _C("repository.compare", "c", "compare", "compare", _W.REPOSITORY, "compare it with the others"),
    _C(
        "repository.ladder", "l", "ladder", "ladder", _W.REPOSITORY, "what they need at growing contexts, by cache type"
    ),
    _C("repository.advise", "V", "advise", "which?", _W.REPOSITORY, "which of its variants to take, and why"),
    _C("repository.frontier", "F", "frontier", "", _W.REPOSITORY, "what its variants need against what they lose"),
    _C("repository.details", "o", "details", "details", _W.REPOSITORY, "what its header says"),
    _C("repository.card", "m", "card", "card", _W.REPOSITORY, "the beginning of the model card"),
    _C("repository.sort", "s", "sort", "sort", _W.REPOSITORY, "sort by size, name, memory, rate in turn"),
    _C("repository.copy", "y", "copy", "", _W.REPOSITORY, "copy the command that fetches it"),
    _C("repository.reload", "R", "reload", "", _W.REPOSITORY, "read the repository again"),
    _C("repository.down", "down,j", "cursor(1)", "", _W.REPOSITORY, "next variant (up, k: the one before)"),
    _C("repository.up", "up,k", "cursor(-1)", "", _W.REPOSITORY, "the variant before"),
    _C("repository.page_down", "pagedown", "page(1)", "", _W.REPOSITORY, "a page down"),
    _C("repository.page_up", "pageup", "page(-1)", "", _W.REPOSITORY, "a page up"),
    _C("repository.first", "g,home", "edge(-1)", "", _W.REPOSITORY, "first variant"),
    _C("repository.last", "G,end", "edge(1)", "", _W.REPOSITORY, "last variant"),
    _C("repository.back", "escape", "back", "back", _W.REPOSITORY, "not to fetch it; back to the results"),
    _C("arena.write", "i,enter", "write", "write", _W.ARENA, "to the prompt field"),
    _C("arena.vote_a", "a", "vote('a')", "A better", _W.ARENA, "the last answer of A is the better one"),
    _C("arena.vote_b", "b", "vote('b')", "B better", _W.ARENA, "the last answer of B is the better one"),
    _C("arena.tie", "equals_sign", "vote('tie')", "tie", _W.ARENA, "both last answers are as good"),
    _C("arena.both_bad", "x", "vote('both_bad')", "both bad", _W.ARENA, "neither of the last answers is any good"),
    _C("arena.again", "r", "again", "again", _W.ARENA, "ask the last prompt again; a side that died is loaded again"),
    _C("arena.edit", "e", "edit", "edit", _W.ARENA, "the last prompt back into the field, to change it"),
    _C("arena.take", "t", "take", "take offer", _W.ARENA, "take what is offered: the last prompt, a smaller context"),
    _C("arena.force", "F", "force", "", _W.ARENA, "load a side that was refused for want of memory all the same"),
    _C("arena.copy", "y", "copy", "copy", _W.ARENA, "copy the code in the last answer, or all of it"),
    _C("arena.sampling", "S", "sampling", "sampling", _W.ARENA, "temperature, seed and so on; the system prompt"),
    _C("arena.new", "N", "new", "new", _W.ARENA, "a new conversation, when it is pressed twice"),
    _C("arena.diff", "d", "diff", "diff", _W.ARENA, "both last answers word by word, and what may be wrong with them"),
    _C("arena.suites", "s", "suites", "suites", _W.ARENA, "suites: tasks put to both sides and judged by rules"),
    _C("arena.names", "n", "names", "hide names", _W.ARENA, "hide names and numbers until a vote, or show them"),
    _C("arena.zoom", "z", "zoom", "zoom", _W.ARENA, "only the side that has the focus, or both again"),
    _C("arena.stop", "escape", "stop", "stop", _W.ARENA, "stop what loads or answers"),
    _C("arena.a", "A", "choose('A')", "change A", _W.ARENA, "choose another variant for side A"),
    _C("arena.b", "B", "choose('B')", "change B", _W.ARENA, "choose another variant for side B"),
    _C(
        "arena.smaller",
        "less_than_sign",
        "step(-1)",
        "",
        _W.ARENA,
        "what the next smaller variant costs; again: take it",
    ),
    _C(
        "arena.larger",
        "greater_than_sign",
        "step(1)",
        "",
        _W.ARENA,
        "what the next larger variant costs; again: take it",
    ),
    _C("arena.down", "j", "scroll(1)", "", _W.ARENA, "scroll the side that has the focus down"),
    _C("arena.up", "k", "scroll(-1)", "", _W.ARENA, "scroll the side that has the focus up"),
    _C("arena.first", "g", "scroll_edge(-1)", "", _W.ARENA, "to the beginning of the transcript"),
    _C("arena.last", "G", "scroll_edge(1)", "", _W.ARENA, "to the end of the transcript, and follow it"),
    _C("thought.toggle", "space", "fold", "fold", _W.THOUGHT, "unfold or fold what the model thought"),
    _C("field.send", "enter", "", "send", _W.FIELD, "send the prompt to all sides", bound=False),
    _C("field.newline", "ctrl+j", "newline", "new line", _W.FIELD, "a new line in the prompt"),
    _C("field.next", "tab", "", "side", _W.FIELD, "to the transcripts", bound=False),
    _C("field.escape", "escape", "escape", "stop, then keys", _W.FIELD, "stop what runs; once more: leave the field"),
    _C("monitor.log", "enter", "log", "log", _W.SESSION, "what the engine of the session said last"),
    _C("monitor.stop", "s", "stop", "stop", _W.SESSION, "stop the session, of this or any other qtui; asks first"),
    _C("monitor.copy", "y", "copy", "copy endpoint", _W.SESSION, "copy the address where other programs are answered"),
    _C("monitor.chart", "enter", "chart", "chart", _W.SERIES, "draw it as a chart over the rest of the screen"),
    _C("monitor.remedy", "t", "remedy", "take it", _W.MONITOR, "load anew with what would end the alarm; asks first"),
    _C("monitor.longer", "plus", "span(1)", "more time", _W.MONITOR, "lines and charts of the last 5 minutes, then 15"),
    _C("monitor.shorter", "minus", "span(-1)", "less time", _W.MONITOR, "of 5 minutes again, then of the last one"),
    _C("monitor.down", "down,j", "cursor(1)", "", _W.MONITOR, "next session, then next line (up, k: the one before)"),
    _C("monitor.up", "up,k", "cursor(-1)", "", _W.MONITOR, "the line or session before"),
    _C("monitor.page_down", "pagedown", "page(1)", "", _W.MONITOR, "a page down"),
    _C("monitor.page_up", "pageup", "page(-1)", "", _W.MONITOR, "a page up"),
    _C("monitor.first", "g,home", "edge(-1)", "", _W.MONITOR, "first line, then first session"),
    _C("monitor.last", "G,end", "edge(1)", "", _W.MONITOR, "last session, then last line"),
    _C("monitor.back", "escape", "back", "back", _W.MONITOR, "from the chart to all lines; leave the session as it is"),
    _C("panel.close", "escape,question_mark,q", "dismiss", "close", _W.PANEL, "close it"),
    _C("details.down", "down,j", "scroll(1)", "", _W.DETAILS, "scroll down (up, k: up)"),
    _C("details.up", "up,k", "scroll(-1)", "", _W.DETAILS, "scroll up"),
    _C("details.page_down", "pagedown", "page(1)", "", _W.DETAILS, "a page down"),
    _C("details.page_up", "pageup", "page(-1)", "", _W.DETAILS, "a page up"),
    _C("details.first", "g,home", "edge(-1)", "", _W.DETAILS, "to the beginning"),
    _C("details.last", "G,end", "edge(1)", "", _W.DETAILS, "to the end"),
    _C("details.close", "escape,o,q", "dismiss", "close", _W.DETAILS, "close it"),
    _C("ladder.use", "enter", "use", "use", _W.LADDER, "make this context and cache type the plan's"),
    _C("ladder.less", "left", "context(-1)", "", _W.LADDER, "the smaller context"),
    _C("ladder.next", "right", "context(1)", "", _W.LADDER, "the larger context"),
    _C("ladder.cache", "k", "cache", "cache type", _W.LADDER, "the next cache type"),
    _C("ladder.down", "down,j", "cursor(1)", "", _W.LADDER, "next variant (up: the one before)"),
    _C("ladder.up", "up", "cursor(-1)", "", _W.LADDER, "the variant before"),
    _C("ladder.first", "g,home", "edge(-1)", "", _W.LADDER, "first variant"),
    _C("ladder.last", "G,end", "edge(1)", "", _W.LADDER, "last variant"),
    _C("ladder.close", "escape,l,q", "dismiss", "close", _W.LADDER, "close it"),
    _C("advice.go", "enter", "go", "go to it", _W.ADVICE, "go to the variant under the cursor"),
    _C("advice.use", "u", "use", "for", _W.ADVICE, "what it is for: chat, code, maths, tools, long documents"),
    _C("advice.prefer", "f", "prefer", "speed", _W.ADVICE, "let quality or speed go first"),
    _C("advice.less", "left", "context(-1)", "", _W.ADVICE, "half the context"),
    _C("advice.more", "right", "context(1)", "context", _W.ADVICE, "twice the context"),
    _C("advice.free", "m", "free", "free", _W.ADVICE, "leave the next amount of memory to other programs"),
    _C("advice.down", "down,j", "cursor(1)", "", _W.ADVICE, "next variant (up, k: the one before)"),
    _C("advice.up", "up,k", "cursor(-1)", "", _W.ADVICE, "the variant before"),
    _C("advice.first", "g,home", "edge(-1)", "", _W.ADVICE, "first variant"),
    _C("advice.last", "G,end", "edge(1)", "", _W.ADVICE, "last variant"),
    _C("advice.read", "pagedown,space", "read(1)", "", _W.ADVICE, "read on in what is said of it"),
    _C("advice.read_back", "pageup", "read(-1)", "", _W.ADVICE, "back in what is said of it"),
    _C("advice.close", "escape,V,q", "dismiss", "close", _W.ADVICE, "close it"),
    _C("frontier.go", "enter", "go", "go to it", _W.FRONTIER, "go to the variant under the cursor"),
    _C("frontier.down", "down,j", "cursor(1)", "", _W.FRONTIER, "next variant (up, k: the one before)"),
    _C("frontier.up", "up,k", "cursor(-1)", "", _W.FRONTIER, "the variant before"),
    _C("frontier.first", "g,home", "edge(-1)", "", _W.FRONTIER, "first variant"),
    _C("frontier.last", "G,end", "edge(1)", "", _W.FRONTIER, "last variant"),
    _C("frontier.close", "escape,F,q", "dismiss", "close", _W.FRONTIER, "close it"),
    _C("help.next", "right,n,tab", "topic(1)", "next topic", _W.HELP, "the next topic"),
    _C("help.before", "left,N,shift+tab", "topic(-1)", "", _W.HELP, "the topic before"),
    _C("help.down", "down,j", "scroll(1)", "", _W.HELP, "scroll down (up, k: up)"),
    _C("help.up", "up,k", "scroll(-1)", "", _W.HELP, "scroll up"),
    _C("help.page_down", "pagedown,space", "page(1)", "page", _W.HELP, "a page down"),
    _C("help.page_up", "pageup,b", "page(-1)", "", _W.HELP, "a page up"),
    _C("help.first", "g,home", "edge(-1)", "", _W.HELP, "to the beginning"),
    _C("help.last", "G,end", "edge(1)", "", _W.HELP, "to the end"),
    _C("help.close", "escape,H,q", "dismiss", "close", _W.HELP, "close it"),
    _C("compare.put", "enter", "put", "to the Arena", _W.COMPARE, "the first and the chosen one to the Arena"),
    _C("compare.less", "left", "choose(-1)", "", _W.COMPARE, "choose the variant to the left"),
    _C("compare.next", "right", "choose(1)", "choose", _W.COMPARE, "choose the variant to the right"),
    _C("compare.first", "f", "first", "first", _W.COMPARE, "compare with the chosen one from now on"),
    _C("compare.down", "down,j", "scroll(1)", "", _W.COMPARE, "scroll down (up, k: up)"),
    _C("compare.up", "up,k", "scroll(-1)", "", _W.COMPARE, "scroll up"),
    _C("compare.close", "escape,c,q", "dismiss", "close", _W.COMPARE, "close it"),
    _C("delete.yes", "enter,y", "delete", "delete", _W.DELETE, "delete what is shown"),
    _C("delete.no", "escape,n,q", "dismiss(False)", "keep it", _W.DELETE, "leave everything as it is"),
    _C("downloads.pause", "enter", "pause", "pause or go", _W.DOWNLOADS, "pause it, or let it go on"),
    _C("downloads.retry", "r", "retry", "retry", _W.DOWNLOADS, "try one again that has failed or was stopped"),
    _C("downloads.sooner", "K,shift+up", "shift(-1)", "sooner", _W.DOWNLOADS, "up in the queue: it starts sooner"),
    _C("downloads.later", "J,shift+down", "shift(1)", "later", _W.DOWNLOADS, "down in the queue"),
    _C("downloads.cancel", "x", "cancel", "cancel", _W.DOWNLOADS, "cancel it and remove what came, when pressed twice"),
    _C("downloads.down", "down,j", "cursor(1)", "", _W.DOWNLOADS, "next download (up, k: the one before)"),
    _C("downloads.up", "up,k", "cursor(-1)", "", _W.DOWNLOADS, "the download before"),
    _C("downloads.first", "g,home", "edge(-1)", "", _W.DOWNLOADS, "first download"),
    _C("downloads.last", "G,end", "edge(1)", "", _W.DOWNLOADS, "last download"),
    _C("downloads.close", "escape,w,q", "dismiss", "close", _W.DOWNLOADS, "close it; downloads go on"),
    _C("suites.start", "enter", "start", "run", _W.SUITES, "put its tasks to both sides; goes on where it was left"),
    _C("suites.stop", "x", "stop", "stop", _W.SUITES, "stop the run; what is judged is kept"),
    _C("suites.down", "down,j", "cursor(1)", "", _W.SUITES, "next suite (up, k: the one before)"),
    _C("suites.up", "up,k", "cursor(-1)", "", _W.SUITES, "the suite before"),
    _C("suites.page_down", "pagedown,space", "page(1)", "", _W.SUITES, "read on"),
    _C("suites.page_up", "pageup", "page(-1)", "", _W.SUITES, "back"),
    _C("suites.first", "g,home", "edge(-1)", "", _W.SUITES, "first suite"),
    _C("suites.last", "G,end", "edge(1)", "", _W.SUITES, "last suite"),
    _C("suites.close", "escape,s,q", "dismiss", "close", _W.SUITES, "close it; a run goes on"),
    _C("history.reopen", "enter", "reopen", "to the Arena", _W.HISTORY, "its prompt and variants to the Arena"),
    _C("history.search", "slash", "search", "search", _W.HISTORY, "by words in prompt, answers or names"),
    _C("history.markdown", "e", "export('.md')", "Markdown", _W.HISTORY, "what is shown into a Markdown file"),
    _C("history.html", "E", "export('.html')", "HTML", _W.HISTORY, "what is shown into an HTML file with charts"),
    _C("history.delete", "x", "delete", "delete", _W.HISTORY, "delete the round, when pressed twice"),
    _C("history.down", "down,j", "cursor(1)", "", _W.HISTORY, "next round (up, k: the one before)"),
    _C("history.up", "up,k", "cursor(-1)", "", _W.HISTORY, "the round before"),
    _C("history.page_down", "pagedown,space", "page(1)", "", _W.HISTORY, "read on in the round"),
    _C("history.page_up", "pageup", "page(-1)", "", _W.HISTORY, "back in the round"),
    _C("history.first", "g,home", "edge(-1)", "", _W.HISTORY, "first round"),
    _C("history.last", "G,end", "edge(1)", "", _W.HISTORY, "last round"),
    _C("history.close", "escape,h,q", "dismiss", "close", _W.HISTORY, "close it"),
    _C("past.done", "enter", "", "to the rounds", _W.HISTORY_SEARCH, "to the rounds that were found", bound=False),
    _C("past.down", "down", "leave_search", "", _W.HISTORY_SEARCH, "to the rounds that were found"),
    _C("past.clear", "escape", "clear_search", "clear", _W.HISTORY_SEARCH, "clear the search"),
    _C("quantise.make", "enter", "make", "make", _W.QUANTISE, "make the type under the cursor"),
    _C("quantise.measure", "M", "measure", "measure it", _W.QUANTISE, "measure what was made against its source"),
    _C("quantise.matrix", "m", "matrix", "matrix", _W.QUANTISE, "use an importance matrix: its file"),
    _C("quantise.text", "t", "text", "gather one", _W.QUANTISE, "gather an importance matrix first: over which text"),
    _C("quantise.into", "i", "into", "into", _W.QUANTISE, "the name of the result"),
    _C("quantise.types", "o", "types", "overrides", _W.QUANTISE, "types of single tensors: attn_v=q8_0 ffn_down=q6_k"),
    _C("quantise.pure", "p", "pure", "", _W.QUANTISE, "all tensors in one type, or the mixture again"),
    _C("quantise.again", "r", "requantise", "", _W.QUANTISE, "take a source that is quantised already, or not"),
    _C("quantise.down", "down,j", "cursor(1)", "", _W.QUANTISE, "next type (up, k: the one before)"),
    _C("quantise.up", "up,k", "cursor(-1)", "", _W.QUANTISE, "the type before"),
    _C("quantise.first", "g,home", "edge(-1)", "", _W.QUANTISE, "first type"),
    _C("quantise.last", "G,end", "edge(1)", "", _W.QUANTISE, "last type"),
    _C("quantise.close", "escape,q", "leave", "close", _W.QUANTISE, "stop what is made; close it"),
    _C("measure.start", "enter", "start", "measure", _W.MEASURE, "measure the chosen variants against the reference"),
    _C("measure.choose", "space", "choose", "choose", _W.MEASURE, "measure it, or leave it out"),
    _C("measure.all", "a", "all", "all", _W.MEASURE, "measure all of the model that are here, or only this one"),
    _C("measure.reference", "r", "reference", "reference", _W.MEASURE, "measure against the one under the cursor"),
    _C("measure.text", "t", "text", "text", _W.MEASURE, "the text to measure on: mixed, demo, or a file"),
    _C("measure.chunks", "n", "chunks", "chunks", _W.MEASURE, "how much of the text: at most so many chunks"),
    _C("measure.down", "down,j", "cursor(1)", "", _W.MEASURE, "next variant (up, k: the one before)"),
    _C("measure.up", "up,k", "cursor(-1)", "", _W.MEASURE, "the variant before"),
    _C("measure.first", "g,home", "edge(-1)", "", _W.MEASURE, "first variant"),
    _C("measure.last", "G,end", "edge(1)", "", _W.MEASURE, "last variant"),
    _C("measure.close", "escape,q", "leave", "close", _W.MEASURE, "stop measuring, what is done is kept; close it"),
    _C("plan.use", "enter", "use", "use", _W.PLAN, "make it the plan: every footprint is asked again for it"),
    _C("plan.less", "left", "change(-1)", "", _W.PLAN, "the value before; on more: fold it"),
    _C("plan.next", "right", "change(1)", "", _W.PLAN, "the next value; on more: unfold it"),
    _C("plan.type", "i", "type", "type", _W.PLAN, "type a value; a digit begins a number"),
    _C("plan.reset", "x", "reset", "reset", _W.PLAN, "the field as it was before it was changed"),
    _C("plan.more", "m", "more", "more", _W.PLAN, "unfold the rarer fields, or fold them"),
    _C("plan.fit", "f", "fit", "best fit", _W.PLAN, "the best plan that fits, at most what is asked here"),
    _C("plan.save", "s", "save", "save", _W.PLAN, "save it as a preset"),
    _C("plan.own", "d", "own", "own", _W.PLAN, "save it as this model's own: taken for it by itself"),
    _C("plan.copy", "y", "copy", "copy", _W.PLAN, "copy the llama-server command for it"),
    _C("plan.down", "down,j", "cursor(1)", "", _W.PLAN, "next field (up, k: the one before)"),
    _C("plan.up", "up,k", "cursor(-1)", "", _W.PLAN, "the field before"),
    _C("plan.first", "g,home", "edge(-1)", "", _W.PLAN, "first field"),
    _C("plan.last", "G,end", "edge(1)", "", _W.PLAN, "last field"),
    _C("plan.back", "escape,p", "dismiss", "back", _W.PLAN, "leave the plan as it was"),
    _C("plan_field.take", "enter", "", "take", _W.PLAN_FIELD, "take the value", bound=False),
    _C("plan_field.back", "escape", "back", "back", _W.PLAN_FIELD, "leave the value as it was"),
    _C("palette.run", "enter", "", "run", _W.PALETTE, "run what the cursor stands on", bound=False),
    _C("palette.down", "down", "cursor(1)", "", _W.PALETTE, "next command (up: the one before)"),
    _C("palette.up", "up", "cursor(-1)", "", _W.PALETTE, "the command before"),
    _C("palette.page_down", "pagedown", "page(1)", "", _W.PALETTE, "a page down"),
    _C("palette.page_up", "pageup", "page(-1)", "", _W.PALETTE, "a page up"),
    _C("palette.close", "escape", "dismiss", "close", _W.PALETTE, "close it"),
    _C("settings.change", "enter", "change", "change", _W.SETTINGS, "change it; take what the cursor stands on"),
    _C("settings.remove", "x", "remove", "default", _W.SETTINGS, "back to the default; take the folder off the list"),
    _C("settings.down", "down,j", "cursor(1)", "", _W.SETTINGS, "next line (up, k: the one before)"),
    _C("settings.up", "up,k", "cursor(-1)", "", _W.SETTINGS, "the line before"),
    _C("settings.first", "g,home", "edge(-1)", "", _W.SETTINGS, "first line"),
    _C("settings.last", "G,end", "edge(1)", "", _W.SETTINGS, "last line"),
    _C("settings.back", "escape,comma", "back", "back", _W.SETTINGS, "leave it as it was; close the settings"),
    _C("setting.save", "enter", "", "save", _W.SETTING, "save it", bound=False),
    _C("setting.cancel", "escape", "back", "leave as it was", _W.SETTING, "leave it as it was"),
    _C("sampling.use", "enter", "", "use", _W.SAMPLING, "use these values from the next prompt on", bound=False),
    _C("sampling.down", "down,tab", "step(1)", "", _W.SAMPLING, "to the next line"),
    _C("sampling.up", "up,shift+tab", "step(-1)", "", _W.SAMPLING, "to the line before"),
    _C("sampling.defaults", "ctrl+r", "defaults", "defaults", _W.SAMPLING, "empty all values: the defaults hold"),
    _C("sampling.leave", "escape", "leave", "leave as it was", _W.SAMPLING, "leave everything as it was"),
    _C("quit.yes", "enter,y", "answer(True)", "quit", _W.QUIT, "quit; so does ctrl+q once more"),
    _C("quit.no", "escape,n", "answer(False)", "stay", _W.QUIT, "stay"),
    _C("go.models", "1", "go('models')", "", _W.EVERYWHERE, "Models: what is on this machine"),
    _C("go.hub", "2", "go('hub')", "", _W.EVERYWHERE, "Hub: find a model, see what each file needs, fetch one"),
    _C("go.arena", "3", "go('arena')", "", _W.EVERYWHERE, "Arena: chat with one, compare two"),
    _C("go.monitor", "4", "go('monitor')", "", _W.EVERYWHERE, "Monitor: sessions, memory, the last minutes"),
    _C("plan", "p", "plan", "plan", _W.EVERYWHERE, "the plan: how models are loaded, and what each choice costs"),
    _C("downloads", "w", "downloads", "", _W.EVERYWHERE, "downloads: what is fetched, paused, failed, and how fast"),
    _C(
        "history", "h", "history", "", _W.EVERYWHERE, "history: rounds that are kept, read again, asked again, exported"
    ),
    _C("help", "H", "help", "", _W.EVERYWHERE, "help pages: names, memory, load modes, numbers, wrong claims"),
    _C("keys", "question_mark", "keys", "keys", _W.EVERYWHERE, "these keys, and what is amiss with the engine"),
    _C("settings", "comma", "settings", "", _W.EVERYWHERE, "settings: folders, margins, theme, keys"),
    _C("palette", "ctrl+p", "palette", "", _W.EVERYWHERE, "every command by name, with its key"),
    _C("quit", "ctrl+q", "quit", "quit", _W.EVERYWHERE, "quit: every model is unloaded, nothing keeps running"),
)


def bindings(where: Where) -> list[BindingType]:
    """Return the bindings of everything that can be done in one spot. Only what is urgent works from any spot."""
    return [
        Binding(c.keys, c.action, c.label or c.help, id=c.id, show=False, priority=c.id in URGENT)
        for c in COMMANDS
        if c.where is where and c.bound
    ]


def shown(
    spots: Iterable[Where], hidden: frozenset[str] = frozenset(), commands: Sequence[Command] = COMMANDS
) -> list[Command]:
    """Return the commands for a line of keys, in the table's order, without those whose ids are `hidden`."""
    wanted = set(spots)
    if wanted & TYPED:  # there the keys for everywhere are letters, but for the urgent ones
        hidden |= {c.id for c in commands if c.where is Where.EVERYWHERE and c.id not in URGENT}
    return [c for c in commands if c.where in wanted and c.label and c.shown_key and c.id not in hidden]


def rivals(command: Command, commands: Iterable[Command]) -> list[Command]:
    """Return the other commands that can be given in a spot where this one can be, so that their keys must differ."""
    spots = [spot for spot in map(spot_of, Where) if command in spot]
    return [other for other in commands if other.id != command.id and any(other in spot for spot in spots)]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where the keys go at one moment."""

    wheres: frozenset[Where]
    typed: bool = False
    """A text field has the focus."""

    def __contains__(self, command: Command) -> bool:
        """Tell whether a command can be given here."""
        return command.where in self.wheres or (command.where is Where.EVERYWHERE and command.id in URGENT)


def spot_of(where: Where) -> Spot:
    """Return what works at a spot: its own commands, those around it, and those for everywhere."""
    wheres = {where}
    while (where := WITHIN.get(where, where)) not in wheres:
        wheres.add(where)
    typed = bool(wheres & TYPED)
    if not typed and not wheres & MODAL:
        wheres.add(Where.EVERYWHERE)
    return Spot(frozenset(wheres), typed)
