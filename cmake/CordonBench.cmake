# What bench/ and demo/ measure with; all of it goes to <build>/bench.
