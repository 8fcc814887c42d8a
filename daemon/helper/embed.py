#!/usr/bin/python3
"""Makes an assembler file that holds a program, stripped, as constant data.

embed.py PROGRAM OBJCOPY OUTPUT.S: the symbols are ct_spawner_image and ct_spawner_image_end.
"""
import hashlib
import pathlib
import subprocess
import sys

program, objcopy, output = sys.argv[1:]
stripped = pathlib.Path(output).resolve().with_suffix('.elf')
subprocess.run([objcopy, '--strip-all', program, stripped], check=True)
# The digest makes this file another one when the program is, so that it is assembled anew.
digest = hashlib.sha256(stripped.read_bytes()).hexdigest()
pathlib.Path(output).write_text(f'''/* {digest} */
	.section .rodata
	.global ct_spawner_image
	.global ct_spawner_image_end
	.hidden ct_spawner_image
	.hidden ct_spawner_image_end
	.balign 16
ct_spawner_image:
	.incbin "{stripped}"
ct_spawner_image_end:
	.byte 0
	.section .note.GNU-stack,"",%progbits
''')
