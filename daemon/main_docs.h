/* "musterd docs PAGE": the reference pages of docs/, from the tables that the daemon works with. */
#pragma once

int main_docs_run(int argc, char **argv);
