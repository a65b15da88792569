"""The use case `test`: a spec's cases, carried out offline on the emulator in a folder of their own, and judged.

`casefile` reads cases, `stage` sets one up, `answers` plays the workflows, `watching` writes down what happens,
`judging` compares, `carry_out` does all that in turn.
"""
