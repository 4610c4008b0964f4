"""A Hub for tests: the Hugging Face Hub's answers on loopback, with a CDN on a port of its own.

    with LocalHub() as hub:
        repository = hub.add(Repository("acme/Tiny-GGUF"))
        repository.commit({"Tiny-Q4_K_M.gguf": Bytes(b"..."), "README.md": Bytes(b"# Tiny")})
        hub.fault(Fault(Kind.CUT, "*Q4_K_M.gguf", at=1000))
        ... HF_ENDPOINT=hub.endpoint ...
        hub.requests(port="cdn")                 # what was asked, with ranges, tokens and bytes sent

`content.py` has files of any size, `repository.py` repositories with commits, `faults.py` what can go wrong,
`server.py` the two ports, `model_repository.py` a repository of twenty quants. `python -m tests.hub` serves one in a
process of its own. Standard library only, so that nothing here shares a mistake with what is tested.
"""
