#include "cdecode.h"
