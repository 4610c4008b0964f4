"""Chat templates: rendered as llama-server does, and harmless when they are hostile."""

from __future__ import annotations

import resource
import signal
import time

import pytest

from qtui.core.duel.conversation import Message
from qtui.services.engine.child.template import CHATML, ChatTemplate, TemplateFailedError, merge_system

USER = (Message("user", "Hi"),)
SYSTEM = (Message("system", "Be brief."), *USER)

HOSTILE = [
    "{% for i in range(10**9) %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{{ 9**(9**9) }}",
    "{{ 'a' * 10**10 }}",
    "{{ 'a'.center(10**10) }}",
    "{{ '%10000000000d' % 1 }}",
    "{{ ('a' * 10**6).replace('a', 'b' * 10**6) }}",
    "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
    "{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ (''|attr('__class__')).x }}",
    "{{ '{0.__class__.x}'.format('') }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os }}",
    "{% extends 'x' %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ messages.append(1) }}",
    "{{ 1 / 0 }}",
    "{{ messages[99].content }}",
    "{{ nothing.at.all }}",
    "{{ messages | nosuchfilter }}",
    "{{ 'a' + 1 }}",
    "{% for %}",
    "{{ raise_exception('roles must alternate') }}",
    "{{ lipsum(n=10**8) }}",
    "{{ range(10**8) | list }}",
    "{{ range(10**6) | map('string') | join('x' * 10000) }}",
    "{{ (10**8) * [0] }}",
    "{{ dict([(1,2)]).popitem() }}",
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "{{ 'x' }}" * 200_000,
]


@pytest.mark.parametrize("source", HOSTILE, ids=lambda source: source[:30])
def test_a_hostile_template_is_one_error_in_little_time(source: str) -> None:
    limits, handler = resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGALRM)
    timer, started = signal.getitimer(signal.ITIMER_REAL), time.monotonic()
    with pytest.raises(TemplateFailedError) as failed:
        ChatTemplate(source).render(USER)
    assert time.monotonic() - started < 5
    assert len(failed.value.message) < 300 and failed.value.hint
    assert resource.getrlimit(resource.RLIMIT_AS) == limits
    assert signal.getsignal(signal.SIGALRM) == handler
    assert abs(signal.getitimer(signal.ITIMER_REAL)[0] - timer[0]) < 6


def test_chatml_is_what_llama_server_takes() -> None:
    assert ChatTemplate(CHATML).render((*SYSTEM, Message("assistant", "Yes?"), Message("user", "No."))) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nYes?<|im_end|>\n<|im_start|>user\nNo.<|im_end|>\n<|im_start|>assistant\n"
    )
    assert ChatTemplate(CHATML).render(USER, answer=False) == "<|im_start|>user\nHi<|im_end|>\n"


def test_what_templates_count_on_is_there() -> None:
    source = (
        "{{ bos_token }}{%- if tools is defined %}tools{% endif %}{% if enable_thinking %}T{% endif %}"
        "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}{% generation %}{{ m['content'] }}"
        "{% endgeneration %}{% endfor %}{{ {'ü': [1]} | tojson }}{{ date_string | length > 8 }}"
        "{{ strftime_now('%Y') | int > 2000 }}"
        "{{ messages[0].content.split('i')[0] }}{{ eos_token }}"
    )
    assert ChatTemplate(source, bos="<s>", eos="</s>").render(USER) == '<s>THi{"ü": [1]}TrueTrueH</s>'


def test_a_refused_system_message_goes_into_the_first_user_message() -> None:
    source = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    )
    assert ChatTemplate(source).render(SYSTEM) == "<user>Be brief.\n\nHi"
    with pytest.raises(TemplateFailedError, match="no system"):
        ChatTemplate(source).render((Message("system", "alone"),))
    assert merge_system(USER) is None


def test_text_is_not_code() -> None:
    text = "{{ 1 + 1 }}{% for %}\x1b[0m"
    assert ChatTemplate("{{ messages[0].content }}").render((Message("user", text),)) == text
