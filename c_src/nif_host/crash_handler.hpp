// A dying host publishes its end in its own segment first and wakes all who wait for it; the kernel
// needs milliseconds to tear a large process down before anybody else can see that it is gone.
#pragma once

namespace cordon::host {

// Handlers for the deadly signals, for exit(), and an alternate stack for this thread.
void install_crash_handler();

// Every thread needs an alternate stack of its own, or a stack overflow leaves no record.
void install_alternate_stack();

} // namespace cordon::host
